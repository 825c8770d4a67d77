export interface Broker {
  /** host:port, as clients are told. */
  readonly brokers: string;
  readonly port: number;
  /** Of its process; -1 in a container. */
  readonly pid: number;
  start(): Promise<void>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}
export function createBroker(options?: { advertisedPort?: number; port?: number }): Promise<Broker>;
