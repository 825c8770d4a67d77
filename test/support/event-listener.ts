/** An event of `/v1/admin/events`, its data parsed. */
export interface HeardEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Listens to the server-sent events of a service from `listen` to `leave`, and keeps them in their order. */
export class EventListener {
  readonly events: HeardEvent[] = [];
  private readonly ending = new AbortController();
  private rest = '';

  private constructor() {}

  /** Resolves when the service has answered; `url` is the one of the stream. */
  static async listen(url: string): Promise<EventListener> {
    const listener = new EventListener();
    const answer = await fetch(url, { signal: listener.ending.signal });
    if (!answer.ok || answer.body === null)
      throw new Error(`The events answered ${answer.status}.`);
    // Ends by `leave` or with the service; neither is a failure of the test.
    void listener.read(answer.body).catch(() => undefined);
    return listener;
  }

  leave(): void {
    this.ending.abort();
  }

  /** Data of all events of the name so far. */
  named(name: string): HeardEvent['data'][] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data);
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const blocks = (this.rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      this.rest = blocks.pop() ?? '';
      for (const block of blocks) this.note(block);
    }
  }

  private note(block: string): void {
    const [, name, data] = /^event: (.+)\ndata: (.+)$/.exec(block) ?? [];
    if (name === undefined || data === undefined) return; // A comment, or what only keeps the stream alive.
    this.events.push({ name, data: JSON.parse(data) as HeardEvent['data'] });
  }
}
