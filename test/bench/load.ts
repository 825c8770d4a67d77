/**
 * The load generator, in a process of its own: a closed loop. Each of N connections sends its next request when the one
 * before was answered, so the server decides the rate.
 */
import { Pool } from 'undici';
import { LatencyHistogram } from '#libs/flow-control';
import { answer } from './child.js';
import type { LoadOrder, LoadResult } from './load.order.js';

/** How a batch answers; its head is enough, the list of results behind it is long. */
const COUNTS = /"accepted":(\d+),"refused":(\d+)/;
const HEAD_LENGTH = 200;

class Load {
  private readonly latencies = new LatencyHistogram();
  private readonly statuses: Record<string, number> = {};
  private readonly pool: Pool;
  private requests = 0;
  private accepted = 0;
  private refused = 0;

  constructor(private readonly order: LoadOrder) {
    this.pool = new Pool(order.url, { connections: order.connections, pipelining: 1 });
  }

  async run(): Promise<LoadResult> {
    const { connections, durationMs } = this.order;
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    const endMs = startMs + durationMs;
    await Promise.all(Array.from({ length: connections }, () => this.connection(endMs)));
    const elapsedMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    await this.pool.close();
    return {
      elapsedMs,
      requests: this.requests,
      accepted: this.accepted,
      refused: this.refused,
      statuses: this.statuses,
      p50Ms: this.latencies.quantile(0.5),
      p99Ms: this.latencies.quantile(0.99),
      cpuMs: (user + system) / 1000,
    };
  }

  private async connection(endMs: number): Promise<void> {
    while (performance.now() < endMs) {
      const body = this.order.bodies[this.requests % this.order.bodies.length]!;
      this.requests += 1;
      const sentMs = performance.now();
      const status = await this.request(body);
      this.latencies.record(performance.now() - sentMs);
      this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    }
  }

  private async request(body: string): Promise<string> {
    const { path, contentType } = this.order;
    try {
      const headers = { 'content-type': contentType };
      const { statusCode, body: answered } = await this.pool.request({
        method: 'POST',
        path,
        headers,
        body,
      });
      const text = await answered.text();
      if (statusCode === 202) this.count(text);
      return String(statusCode);
    } catch (error) {
      return (error as { code?: string }).code ?? 'error';
    }
  }

  /** A single record's answer has no counts. */
  private count(text: string): void {
    const [, accepted = '1', refused = '0'] = COUNTS.exec(text.slice(0, HEAD_LENGTH)) ?? [];
    this.accepted += Number(accepted);
    this.refused += Number(refused);
  }
}

answer((order: LoadOrder) => new Load(order).run());
