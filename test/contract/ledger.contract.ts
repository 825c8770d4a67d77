import { createHash } from 'node:crypto';
import type { Acknowledgments, Ending } from '../../src/ledger/acknowledgments.port.js';
import { JournalFullError } from '../../src/ledger/errors/journal-full.error.js';
import { RecordRefusedError } from '../../src/ledger/errors/record-refused.error.js';
import type { Journal } from '../../src/ledger/journal.port.js';
import type { IdempotencyKey, PipelineRecord, Terminal } from '../../src/pipeline/record.js';
import { freeLot, makeRecord, makeRecords, silentOrigin } from '../support/ledger.js';

/** One process's view of the books. */
export interface ContractLedger {
  readonly journal: Journal;
  readonly acknowledgments: Acknowledgments;
  /** What the books say about a record: 'accepted', a terminal status with its reason, or undefined. */
  readonly statusOf: (id: string) => Promise<{ status: string; reason?: string } | undefined>;
  /** Record ids of the sink's table. */
  readonly delivered: () => Promise<readonly string[]>;
  /** The time of all idempotency keys is over. */
  readonly expireKeys: () => Promise<unknown>;
  /** The process ends without notice; another one opens the same books. */
  readonly restart: () => Promise<ContractLedger>;
  readonly close: () => Promise<void>;
}

export interface ContractBounds {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
}

const ACKNOWLEDGED: Terminal = { status: 'acknowledged' };

const ending = (record: PipelineRecord, fields: Partial<Ending> = {}): Ending => ({
  record,
  terminal: ACKNOWLEDGED,
  attempts: 1,
  destination: 'postgres',
  ...fields,
});

const withOutput = (record: PipelineRecord, payload: string): Ending =>
  ending(record, {
    output: { table: 'delivered', key: null, payload: Buffer.from(payload), headers: null },
  });

const keyOf = (key: string, content = 'content'): IdempotencyKey => ({
  key,
  fingerprint: createHash('sha256').update(content).digest(),
});

/** Records that come with one key and the same content: one request, repeated. */
const keyed = (key: string, count: number) =>
  makeRecords(count, () => ({ idempotencyKey: keyOf(key) })) as [
    PipelineRecord,
    PipelineRecord,
    PipelineRecord,
  ];

/** The rules of the ledger's ports; every implementation keeps them. */
export function describeLedgerContract(
  name: string,
  open: (bounds?: ContractBounds) => Promise<ContractLedger>,
): void {
  describe(`ledger contract: ${name}`, () => {
    let ledger: ContractLedger;
    const start = async (bounds?: ContractBounds): Promise<ContractLedger> => {
      ledger = await open(bounds);
      return ledger;
    };

    afterEach(() => ledger.close());

    it('keeps the deadline of a record to the millisecond across a restart, with a key or without', async () => {
      const first = await start();
      const expiresAtMs = Date.parse('2030-02-28T23:59:59.987Z');
      const dated = makeRecord({ expiresAtMs });
      const both = [makeRecord(), makeRecord({ expiresAtMs: 1, idempotencyKey: keyOf('dated') })];
      await first.journal.append([makeRecord()]);
      await first.journal.append([dated, ...both]);
      ledger = await first.restart();
      const ids = [dated, ...both].map(({ id }) => id);
      const loaded = await ledger.journal.load(ids, freeLot(), silentOrigin);
      expect(loaded.map((record) => record.expiresAtMs)).toEqual([expiresAtMs, Infinity, 1]);
    });

    it('keeps what append has resolved for, and changes nothing on the records', async () => {
      const { journal, statusOf } = await start();
      const [record] = makeRecords(1) as [PipelineRecord];
      const before = { ...record };
      await journal.append([record]);
      expect(record).toEqual(before);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'accepted' });
      await expect(statusOf(makeRecord().id)).resolves.toBeUndefined();
    });

    it('answers concurrent appends in their order', async () => {
      const { journal } = await start();
      const answered: number[] = [];
      await Promise.all(
        makeRecords(50).map(async (record, index) => {
          await journal.append([record]);
          answered.push(index);
        }),
      );
      expect(answered).toEqual(Array.from({ length: 50 }, (_, index) => index));
      expect(journal.snapshot()).toMatchObject({ records: 50, flushedRecords: 50, backlog: 0 });
    });

    it('takes an empty call for done', async () => {
      const { journal, acknowledgments } = await start();
      await journal.append([]);
      await journal.discard([]);
      await expect(acknowledgments.finish([])).resolves.toEqual([]);
    });

    it('refuses a record that it holds already, and keeps the first', async () => {
      const { journal } = await start();
      const record = makeRecord();
      await journal.append([record]);
      await expect(journal.append([makeRecord(), record])).rejects.toThrow(RecordRefusedError);
      expect(journal.snapshot().records).toBe(1);
    });

    it('enters each end once, whatever is finished again', async () => {
      const { journal, acknowledgments, statusOf } = await start();
      const [kept, dead, dropped] = makeRecords(3) as [
        PipelineRecord,
        PipelineRecord,
        PipelineRecord,
      ];
      await journal.append([kept, dead, dropped]);
      const endings = [
        ending(kept),
        ending(dead, { terminal: { status: 'dead-lettered', reason: 'final' } }),
        ending(dropped, { terminal: { status: 'discarded', reason: 'no-dead-letters' } }),
      ];
      await expect(acknowledgments.finish(endings)).resolves.toEqual([]);
      const otherEnd = { status: 'dead-lettered', reason: 'late' } as const;
      await expect(acknowledgments.finish([ending(kept, { terminal: otherEnd })])).resolves.toEqual(
        [],
      );
      await expect(statusOf(kept.id)).resolves.toMatchObject({ status: 'acknowledged' });
      await expect(statusOf(dead.id)).resolves.toMatchObject({
        status: 'dead-lettered',
        reason: 'final',
      });
      await expect(statusOf(dropped.id)).resolves.toMatchObject({
        status: 'discarded',
        reason: 'no-dead-letters',
      });
      expect(journal.snapshot()).toMatchObject({ records: 0, bytes: 0 });
    });

    it('finishes a record it never had without a complaint, and without an output row', async () => {
      const { acknowledgments, delivered } = await start();
      await expect(acknowledgments.finish([withOutput(makeRecord(), '{}')])).resolves.toEqual([]);
      await expect(delivered()).resolves.toEqual([]);
    });

    it('ends discarded records without a place in the journal', async () => {
      const { journal, statusOf } = await start();
      const record = makeRecord({ verdict: { kind: 'discarded', reason: 'test order' } });
      await journal.discard([record]);
      await expect(statusOf(record.id)).resolves.toMatchObject({
        status: 'discarded',
        reason: 'test order',
      });
      expect(journal.snapshot().records).toBe(0);
    });

    it('is full at its bound of records, and has room again after an end', async () => {
      const { journal, acknowledgments } = await start({ maxRecords: 2 });
      const [first, second] = makeRecords(2) as [PipelineRecord, PipelineRecord];
      await journal.append([first]);
      await expect(journal.append(makeRecords(2))).rejects.toThrow(JournalFullError);
      await journal.append([second]);
      expect(journal.isFull).toBe(true);
      await expect(journal.append([makeRecord()])).rejects.toThrow(JournalFullError);
      await acknowledgments.finish([ending(first)]);
      expect(journal.isFull).toBe(false);
      await journal.append([makeRecord()]);
    });

    it('is full at its bound of bytes, headers counted', async () => {
      const { journal } = await start({ maxBytes: 30 });
      const record = makeRecord({ payload: '0123456789', headers: { a: 'b' } });
      await journal.append([record]);
      expect(journal.snapshot().bytes).toBe(12 + 9);
      await expect(journal.append([makeRecord({ payload: '0123456789' })])).rejects.toThrow(
        JournalFullError,
      );
    });

    it('takes a record larger than its bound while it is empty', async () => {
      const { journal } = await start({ maxBytes: 5 });
      await journal.append([makeRecord({ payload: '0123456789' })]);
      expect(journal.isFull).toBe(true);
    });

    it('names the endings whose output row is refused, and ends the others', async () => {
      const { journal, acknowledgments, statusOf, delivered } = await start();
      const records = makeRecords(20);
      await journal.append(records);
      const endings = records.map((record, index) =>
        withOutput(record, index === 7 || index === 8 ? '{' : '{"n":1}'),
      );
      const refused = await acknowledgments.finish(endings);
      expect(refused.map((one) => one.ending)).toEqual([endings[7], endings[8]]);
      expect(refused[0]).toMatchObject({ sqlState: '22P02', error: expect.any(Error) });
      await expect(statusOf(records[7]!.id)).resolves.toMatchObject({ status: 'accepted' });
      await expect(statusOf(records[9]!.id)).resolves.toMatchObject({ status: 'acknowledged' });
      expect(await delivered()).toHaveLength(18);
      expect(journal.snapshot().records).toBe(2);
    });

    it('keeps a record of which one of several destinations has its part, and ends it with the last (SE1)', async () => {
      const { journal, acknowledgments, statusOf, delivered } = await start();
      const record = makeRecord();
      await journal.append([record]);
      const parts = [
        ending(record, { step: 'part', destination: 'kafka', externalId: 'out:1:7' }),
        { ...withOutput(record, '{"n":1}'), step: 'part' as const },
      ];
      await expect(acknowledgments.finish(parts)).resolves.toEqual([]);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'accepted' });
      expect(await delivered()).toEqual([record.id]);
      expect(journal.snapshot().records).toBe(1);
      const last = ending(record, { step: 'last', destination: 'callback', others: parts });
      await expect(acknowledgments.finish([last])).resolves.toEqual([]);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'acknowledged' });
      expect(journal.snapshot()).toMatchObject({ records: 0, bytes: 0 });
    });

    it('enters parts again with the effect of once, and no output row after the end (SE2)', async () => {
      const { journal, acknowledgments, statusOf, delivered } = await start();
      const [twice, dead] = makeRecords(2) as [PipelineRecord, PipelineRecord];
      await journal.append([twice, dead]);
      const part = (record: PipelineRecord): Ending => ({
        ...withOutput(record, '{"n":1}'),
        step: 'part',
      });
      await acknowledgments.finish([part(twice), part(twice)]);
      await acknowledgments.finish([part(twice)]);
      expect(await delivered()).toEqual([twice.id]);
      const letter = { status: 'dead-lettered', reason: 'rejected' } as const;
      await acknowledgments.finish([ending(dead, { step: 'last', terminal: letter })]);
      await expect(acknowledgments.finish([part(dead)])).resolves.toEqual([]);
      expect(await delivered()).toEqual([twice.id]);
      await expect(statusOf(dead.id)).resolves.toMatchObject({ status: 'dead-lettered' });
    });

    it('enters a part before the end that comes in the same call, in whatever order', async () => {
      const { journal, acknowledgments, statusOf, delivered } = await start();
      const record = makeRecord();
      await journal.append([record]);
      await acknowledgments.finish([
        ending(record, { step: 'last', destination: 'kafka' }),
        { ...withOutput(record, '{"n":1}'), step: 'part' },
      ]);
      expect(await delivered()).toEqual([record.id]);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'acknowledged' });
    });

    it('ends a record that needs no destination any more', async () => {
      const { journal, acknowledgments, statusOf } = await start();
      const record = makeRecord();
      await journal.append([record]);
      await acknowledgments.finish([ending(record, { step: 'part', destination: 'kafka' })]);
      await acknowledgments.finish([ending(record, { step: 'last', destination: '' })]);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'acknowledged' });
      expect(journal.snapshot().records).toBe(0);
    });

    it('names a refused part, and neither other parts nor the end of its record', async () => {
      const { journal, acknowledgments, statusOf } = await start();
      const record = makeRecord();
      await journal.append([record]);
      const bad: Ending = { ...withOutput(record, '{'), step: 'part' };
      const good = ending(record, { step: 'part', destination: 'kafka' });
      const refused = await acknowledgments.finish([bad, good]);
      expect(refused.map((one) => one.ending)).toEqual([bad]);
      await expect(statusOf(record.id)).resolves.toMatchObject({ status: 'accepted' });
    });

    it('brings a record that has parts back for the other destinations only', async () => {
      const { journal, acknowledgments, restart } = await start();
      const [none, one, all] = makeRecords(3) as [PipelineRecord, PipelineRecord, PipelineRecord];
      await journal.append([none, one, all]);
      const part = (record: PipelineRecord, destination: string): Ending =>
        ending(record, { step: 'part', destination });
      await acknowledgments.finish([part(one, 'kafka'), part(one, 'no longer configured')]);
      await acknowledgments.finish(
        ['postgres', 'kafka', 'callback'].map((destination) => part(all, destination)),
      );
      ledger = await restart();
      const ids = [none.id, one.id, all.id];
      const loaded = await ledger.journal.load(ids, freeLot(3), silentOrigin);
      expect(loaded.map(({ deliverTo }) => deliverTo)).toEqual([
        undefined,
        new Set(['postgres', 'callback']),
        new Set(),
      ]);
    });

    it('leaves what has not ended to the next process, in the order of acceptance', async () => {
      const { journal, acknowledgments, restart } = await start();
      const records = makeRecords(6, () => ({
        headers: { trace: 'x' },
        key: 'k',
        priority: 'high',
        payload: { text: 'größer' },
      }));
      for (const record of records) await journal.append([record]);
      await acknowledgments.finish([ending(records[2]!)]);
      ledger = await restart();
      const backlog = ledger.journal.backlog();
      const left = records.filter((_, index) => index !== 2);
      expect(backlog.map((entry) => entry.id)).toEqual(left.map((record) => record.id));
      expect(ledger.journal.snapshot()).toMatchObject({ records: 5, backlog: 5 });
      const lot = freeLot(2);
      const ids = [left[0]!.id, records[2]!.id, left[1]!.id];
      const loaded = await ledger.journal.load(ids, lot, silentOrigin);
      expect(loaded).toHaveLength(2);
      expect(loaded[0]).toMatchObject({
        id: left[0]!.id,
        tenant: 'default',
        priority: 'high',
        key: 'k',
        headers: { trace: 'x' },
        payload: { text: 'größer' },
        body: left[0]!.body,
        sizeBytes: backlog[0]!.sizeBytes,
        stage: 'IngressProcessing',
        verdict: { kind: 'accepted' },
        partition: left[0]!.partition,
      });
      expect(loaded[0]!.credit).toBe(lot);
      expect(loaded[0]!.origin).toBe(silentOrigin);
      expect(loaded[1]!.id).toBe(left[1]!.id);
      expect(ledger.journal.backlog()).toHaveLength(3);
      await ledger.acknowledgments.finish(loaded.map((record) => ending(record)));
      expect(ledger.journal.snapshot().records).toBe(3);
    });

    it('keeps one record for an idempotency key, and names it to each that comes after it', async () => {
      const { journal, statusOf } = await start();
      const [first, again, third] = keyed('order-1', 3);
      await expect(journal.append([first])).resolves.toEqual([]);
      const replay = { earlierId: first.id, isSame: true };
      await expect(journal.append([again])).resolves.toEqual([{ record: again, ...replay }]);
      await expect(journal.append([third])).resolves.toEqual([{ record: third, ...replay }]);
      await expect(statusOf(again.id)).resolves.toBeUndefined();
      expect(journal.snapshot()).toMatchObject({
        records: 1,
        flushedRecords: 1,
        replayedRecords: 2,
      });
      expect(again.verdict).toBeUndefined();
    });

    it('tells that a key was used for other content, and keeps the first', async () => {
      const { journal } = await start();
      const [first] = keyed('order-1', 1);
      const other = makeRecord({ idempotencyKey: keyOf('order-1', 'other content') });
      await journal.append([first]);
      await expect(journal.append([other])).resolves.toEqual([
        { record: other, earlierId: first.id, isSame: false },
      ]);
      expect(journal.snapshot().records).toBe(1);
    });

    it('gives each tenant its own keys', async () => {
      const { journal } = await start();
      const [first, second] = ['acme', 'globex'].map((tenant) =>
        makeRecord({ tenant, idempotencyKey: keyOf('order-1') }),
      ) as [PipelineRecord, PipelineRecord];
      await expect(journal.append([first])).resolves.toEqual([]);
      await expect(journal.append([second])).resolves.toEqual([]);
      expect(journal.snapshot().records).toBe(2);
    });

    it('keeps the others of a call in which some are replays, in their order', async () => {
      const { journal, restart } = await start();
      const earlier = makeRecords(2, (i) => ({ idempotencyKey: keyOf(`k#${2 * i}`) }));
      await journal.append(earlier);
      const records = makeRecords(4, (i) => ({
        partition: 0,
        idempotencyKey: keyOf(`k#${i}`, i === 2 ? 'other content' : undefined),
      }));
      const plain = makeRecord({ partition: 0 });
      await expect(journal.append([...records, plain])).resolves.toEqual([
        { record: records[0], earlierId: earlier[0]!.id, isSame: true },
        { record: records[2], earlierId: earlier[1]!.id, isSame: false },
      ]);
      ledger = await restart();
      const kept = [...earlier, records[1]!, records[3]!, plain].map(({ id }) => id);
      expect(ledger.journal.backlog().map(({ id }) => id)).toEqual(kept);
    });

    it('answers concurrent appends in their order, whether they have keys, are replays or neither', async () => {
      const { journal } = await start();
      await journal.append(makeRecords(10, (i) => ({ idempotencyKey: keyOf(`${3 * i}`) })));
      const answered: number[] = [];
      const records = makeRecords(30, (i) =>
        i % 3 === 2 ? {} : { idempotencyKey: keyOf(`${i}`) },
      );
      const replays = await Promise.all(
        records.map(async (record, index) => {
          const found = await journal.append([record]);
          answered.push(index);
          return found.length;
        }),
      );
      expect(answered).toEqual(records.map((_, index) => index));
      expect(replays).toEqual(records.map((_, index) => Number(index % 3 === 0)));
    });

    it('knows a key after the end of its record, and after a restart', async () => {
      const { journal, acknowledgments, restart } = await start();
      const [first, again, late] = keyed('order-1', 3);
      await journal.append([first]);
      await acknowledgments.finish([ending(first)]);
      await expect(journal.append([again])).resolves.toMatchObject([{ earlierId: first.id }]);
      ledger = await restart();
      await expect(ledger.journal.append([late])).resolves.toMatchObject([{ earlierId: first.id }]);
      expect(ledger.journal.snapshot().records).toBe(0);
    });

    it('takes a key that has expired for a new one', async () => {
      const { journal, expireKeys } = await start();
      const [first, second, third] = keyed('order-1', 3);
      await journal.append([first]);
      await expireKeys();
      await expect(journal.append([second])).resolves.toEqual([]);
      await expect(journal.append([third])).resolves.toMatchObject([{ earlierId: second.id }]);
      expect(journal.snapshot().records).toBe(2);
    });

    it('keeps no key of a call that it refuses', async () => {
      const { journal, acknowledgments } = await start({ maxRecords: 1 });
      const [record] = keyed('order-1', 1);
      const blocker = makeRecord();
      await journal.append([blocker]);
      await expect(journal.append([record])).rejects.toThrow(JournalFullError);
      await acknowledgments.finish([ending(blocker)]);
      await expect(journal.append([record])).resolves.toEqual([]);
    });

    it('keeps no key of a discarded record: the same again is decided about anew', async () => {
      const { journal } = await start();
      const [dropped, again] = keyed('order-1', 2);
      const verdict = { kind: 'discarded', reason: 'test order' } as const;
      await journal.discard([{ ...dropped, verdict }]);
      await expect(journal.append([again])).resolves.toEqual([]);
    });
  });
}
