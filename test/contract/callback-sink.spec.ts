import { SystemClock } from '#libs/flow-control';
import { CallbackSink } from '../../src/final-sink/sinks/callback.sink.js';
import { makeRecord } from '../support/ledger.js';
import { ScriptedReceiver } from '../support/scripted-receiver.js';
import { sinkContract } from './sink.contract.js';

const REFUSED = '"refused by the receiver"';

describe('CallbackSink on a real receiver', () => {
  const closing: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  sinkContract('CallbackSink', async () => {
    const receiver = await ScriptedReceiver.start();
    receiver.answer = ({ body }) => ({ status: body === REFUSED ? 422 : 204 });
    const sink = new CallbackSink({
      name: 'callback',
      url: `${receiver.url}/hook`,
      keys: [Buffer.alloc(24)],
      contentType: 'application/json',
      maxRequests: 10,
      answerTimeoutMs: 10_000,
      clock: new SystemClock(),
    });
    closing.push(
      () => sink.stop(),
      () => receiver.stop(),
    );
    return {
      sink,
      accepted: async (fields) => makeRecord(fields),
      refusable: async (fields) => makeRecord({ ...fields, body: Buffer.from(REFUSED) }),
      delivered: async () =>
        receiver.requests
          .filter(({ body }) => body !== REFUSED)
          .map(({ headers }) => String(headers['webhook-id'])),
      endOf: async () => undefined,
    };
  });
});
