import type { Outgoing } from './kafka-sink.js';

/** What the producer queue needs of a client: one partition of one topic per request. */
export interface PartitionProducer {
  /** Resolves when the topic's partitions are known; rejects with the client's error, and may be called again then. */
  connect(): Promise<void>;
  /**
   * Sends records in one request and resolves with the offset of the first, once all in-sync replicas have them.
   * Rejects with the client's error: not written, or nobody knows. `failedSends` of these records came before.
   */
  send(partition: number, records: readonly Outgoing[], failedSends: number): Promise<bigint>;
  /** Ends the connections; sends that are out are rejected. Idempotent. */
  close(): Promise<void>;
}
