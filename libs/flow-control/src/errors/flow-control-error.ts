/** What this library rejects a wait with. Full is never one of these on a path that does not wait. */
export abstract class FlowControlError extends Error {
  /** A literal that callers may branch on and map to a status. */
  abstract readonly code: string;
  /** Whether the same call can succeed later. */
  abstract readonly retryable: boolean;

  override get name(): string {
    return this.constructor.name;
  }
}
