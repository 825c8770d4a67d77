import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';
import { freePort } from './free-port.mjs';

const PRODUCE = 0;
/** Size and correlation id of a response; size and API key of a request. */
const FRAME_BYTES = 4;

/**
 * A TCP proxy between a Kafka client and its broker that can lose, cut and delay. A client goes through it by
 * `socketFactory`, whatever address the broker advertises.
 */
export class KafkaProxy {
  bytesToBroker = 0;
  bytesToClient = 0;
  /** Applies to what arrives from now on, both ways. */
  delayMs = 0;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private isSilent = false;
  private responsesToDrop = 0;

  constructor(private readonly brokers: string) {}

  /** Starts to listen, on `port` when one is given (for a broker that names it to its clients); the second time on the same. */
  async open(port = this.port): Promise<void> {
    this.port = port === 0 ? await freePort() : port;
    this.server = createServer((client) => this.serve(client));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** Cuts every connection and refuses new ones. */
  async close(): Promise<void> {
    const { server } = this;
    this.cut();
    if (!server?.listening) return;
    server.close();
    await once(server, 'close');
  }

  /** Cuts every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Black hole: takes connections and bytes, and passes nothing on, until `speak`. */
  fallSilent(): void {
    this.isSilent = true;
    for (const socket of this.sockets) socket.pause();
  }

  speak(): void {
    this.isSilent = false;
    for (const socket of this.sockets) socket.resume();
  }

  /** The broker keeps the next produced batch, and its client never hears of it: the connection ends instead. */
  dropNextProduceResponse(): void {
    this.responsesToDrop += 1;
  }

  readonly socketFactory: ISocketFactory = ({ onConnect }) =>
    connect({ host: '127.0.0.1', port: this.port }, onConnect);

  private serve(client: Socket): void {
    const [host = '127.0.0.1', port = '0'] = (this.brokers.split(',')[0] ?? '').split(':');
    const broker = connect({ host, port: Number(port) });
    const correlationIds = new Set<number>();
    this.join(client, broker, (bytes) => {
      this.bytesToBroker += bytes.length;
      // Requests are written whole, so a chunk begins with a frame; a produce request carries its id at offset 8.
      if (bytes.length > 12 && bytes.readInt16BE(FRAME_BYTES) === PRODUCE) {
        correlationIds.add(bytes.readInt32BE(8));
      }
      return true;
    });
    this.join(broker, client, (bytes) => {
      this.bytesToClient += bytes.length;
      const id = bytes.length >= 8 ? bytes.readInt32BE(FRAME_BYTES) : -1;
      if (!correlationIds.delete(id) || this.responsesToDrop === 0) return true;
      this.responsesToDrop -= 1;
      client.destroy();
      return false;
    });
  }

  private join(from: Socket, to: Socket, passes: (bytes: Buffer) => boolean): void {
    this.sockets.add(from);
    from.on('data', (bytes: Buffer) => {
      if (!passes(bytes)) return;
      if (this.delayMs === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), this.delayMs);
    });
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
    // The close that follows an error does the work.
    from.on('error', () => undefined);
    if (this.isSilent) from.pause();
  }
}
