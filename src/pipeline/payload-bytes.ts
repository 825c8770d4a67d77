/**
 * The bytes to deliver of a payload that a function of the pipeline returned: a Uint8Array as it is, anything else as
 * JSON. Undefined for what is no JSON value; throws as JSON.stringify does (cycles, bigint).
 */
export function payloadBytes(payload: unknown): Buffer | undefined {
  if (payload instanceof Uint8Array) {
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  const json: string | undefined = JSON.stringify(payload);
  return json === undefined ? undefined : Buffer.from(json);
}
