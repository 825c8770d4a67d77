import { createServer } from 'node:net';

/**
 * Below those that the kernel gives to outgoing connections: one of them could take the port while nobody listens on it,
 * and a client that tries again and again to reach it could even connect to itself.
 */
const PORTS = { first: 20_000, count: 10_000 };

/** A port of the loopback on which nobody listens. */
export function freePort() {
  const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(freePort()));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)));
  });
}
