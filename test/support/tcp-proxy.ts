import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.mjs';

/** A TCP proxy that can fall silent, as a frozen server does, or be away altogether. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private isFrozen = false;
  private port: number | undefined;

  constructor(private readonly target: { host: string; port: number }) {}

  /** Starts to listen; the second time on the same port. Returns the port. */
  async open(): Promise<number> {
    this.server = createServer((client) => this.serve(client));
    this.port ??= await freePort();
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    return this.port;
  }

  /** Cuts every connection and refuses new ones. */
  async close(): Promise<void> {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
    if (this.server?.listening) await once(this.server, 'close');
  }

  /** Accepts, and passes on nothing. */
  freeze(): void {
    this.isFrozen = true;
    for (const socket of this.sockets) socket.pause();
  }

  thaw(): void {
    this.isFrozen = false;
    for (const socket of this.sockets) socket.resume();
  }

  private serve(client: Socket): void {
    const upstream = connect(this.target);
    this.join(client, upstream);
    this.join(upstream, client);
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('data', (bytes) => to.write(bytes));
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
    // The close that follows an error does the work.
    from.on('error', () => undefined);
    if (this.isFrozen) from.pause();
  }
}
