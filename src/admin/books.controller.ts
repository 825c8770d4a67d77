import { Controller, Get, Query } from '@nestjs/common';
import {
  type AcknowledgmentCursor,
  type AcknowledgmentFilter,
  type AcknowledgmentRow,
  AcknowledgmentSearch,
  SearchTooBroadError,
} from '../ledger/acknowledgment-search.js';
import { PartitionOwners } from '../ledger/partition-owners.js';
import { isUuid } from '../ledger/uuid-v7.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { adminProblem, withDatabase } from './admin-problem.js';
import {
  ACKNOWLEDGMENTS_EXAMPLE,
  acknowledgmentsQuerySchema,
  acknowledgmentsSchema,
  PARTITIONS_EXAMPLE,
  partitionsSchema,
} from './books.schema.js';
import { checkQuery } from './checked-input.js';
import { Peers } from './peers.js';

interface PartitionReport {
  readonly partition: number;
  readonly owner: string | null;
  readonly isOwn: boolean;
  readonly leaseExpiresAt: Date | null;
  readonly inFlight: number;
  readonly journalRecords: number;
}

interface AcknowledgmentPage {
  readonly acknowledgments: readonly AcknowledgmentRow[];
  readonly next: string | null;
}

/** What the books say, for operators. */
@AdminOnly()
@Controller('v1/admin')
export class BooksController {
  constructor(
    private readonly owners: PartitionOwners,
    private readonly search: AcknowledgmentSearch,
    private readonly runtime: StageRuntime,
    private readonly peers: Peers,
  ) {}

  @Get('partitions')
  @DescribeAdmin({
    summary: "KeyGen's partitions: who has them, and their load.",
    answer: {
      description: 'Leases and journal of the whole database, the load of this replica.',
      schema: partitionsSchema,
      example: PARTITIONS_EXAMPLE,
    },
    problems: [503],
  })
  async partitions(): Promise<readonly PartitionReport[]> {
    const owners = await withDatabase(() => this.owners.read());
    const counts = this.runtime.partitions.read();
    return owners.map(({ partition, owner, leaseExpiresAt, journalRecords }) => ({
      partition,
      owner: owner ?? null,
      isOwn: owner === this.peers.instance,
      leaseExpiresAt: leaseExpiresAt ?? null,
      inFlight: counts[partition] ?? 0,
      journalRecords,
    }));
  }

  @Get('acknowledgments')
  @DescribeAdmin({
    summary: 'How records ended, newest first; dead letters have a call of their own.',
    query: acknowledgmentsQuerySchema,
    answer: {
      description:
        'A page of records that came by REST. Of a Kafka record, asked for by its id, only what was not plainly acknowledged has rows.',
      schema: acknowledgmentsSchema,
      example: ACKNOWLEDGMENTS_EXAMPLE,
    },
    problems: [400, 422, 503],
  })
  async acknowledgments(@Query() query: unknown): Promise<AcknowledgmentPage> {
    const { cursor, limit, since, until, ...rest } = checkQuery(acknowledgmentsQuerySchema, query);
    const filter: AcknowledgmentFilter = {
      ...given(rest),
      ...(since !== undefined && { sinceMs: Date.parse(since) }),
      ...(until !== undefined && { untilMs: Date.parse(until) }),
    };
    const after = cursor === undefined ? undefined : cursorOf(cursor);
    const rows = await this.find(filter, limit, after);
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return { acknowledgments: rows, next: last === undefined ? null : cursorText(last) };
  }

  private find(
    filter: AcknowledgmentFilter,
    limit: number,
    after: AcknowledgmentCursor | undefined,
  ): Promise<readonly AcknowledgmentRow[]> {
    return withDatabase(async () => {
      try {
        return await this.search.find(filter, { limit, ...(after !== undefined && { after }) });
      } catch (error) {
        if (!(error instanceof SearchTooBroadError)) throw error;
        throw adminProblem(422, 'too-broad', 'The search is too broad', error.message);
      }
    });
  }
}

/** Without what is absent. */
function given(fields: object): AcknowledgmentFilter {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function cursorText({ recordId, destination }: AcknowledgmentCursor): string {
  return Buffer.from(JSON.stringify([recordId, destination])).toString('base64url');
}

function cursorOf(text: string): AcknowledgmentCursor {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parts) && parts.every((part) => typeof part === 'string')) {
      const [recordId = '', destination = ''] = parts;
      if (isUuid(recordId)) return { recordId, destination };
    }
  } catch {
    // Not of ours: told below.
  }
  const detail = 'The parameter cursor must be the `next` of a page.';
  throw adminProblem(400, 'malformed', 'The request is malformed', detail);
}
