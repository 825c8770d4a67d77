import type { Outgoing } from '#libs/kafka';
import type { PipelineRecord } from '../../pipeline/record.js';

/** A record as it goes to a topic. */
export function outgoingOf(record: PipelineRecord): Outgoing {
  const { id, key, keyBytes, headers, payload, body } = record;
  return {
    recordId: id,
    key: key === undefined ? null : (keyBytes ?? Buffer.from(key)),
    // Null is a tombstone; undefined means that nobody has written the bytes.
    value: body === undefined ? Buffer.from(JSON.stringify(payload)) : body,
    headers,
    attempt: 1,
  };
}
