import { backPressureOptions, FakeProbe, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { LevelChange, ReactionChange, Surplus } from './back-pressure.events.js';
import { BackPressureController } from './back-pressure-controller.js';
import type { BackPressureOptions } from './back-pressure.options.js';
import type { StageStatus } from './pipeline-status.js';
import type { TriggerChange } from './trigger.js';

function setUp(change: Partial<BackPressureOptions> = {}) {
  const clock = new FakeClock();
  const probe = new FakeProbe();
  const controller = new BackPressureController(backPressureOptions({ clock, probe, ...change }));
  const triggers: TriggerChange[] = [];
  controller.events.on('trigger', (trigger) => triggers.push(trigger));
  const stage = (id: string): StageStatus => {
    const status = controller.getPipelineStatus().stages.find((each) => each.stage === id);
    if (status === undefined) throw new Error(`no ${id}`);
    return status;
  };
  /** Lets an interval pass and the loop with it. */
  const pass = (): void => {
    clock.advance(2000);
    controller.evaluate();
  };
  return { clock, probe, controller, triggers, stage, pass };
}

/** Makes FinalSink report a full queue: own = 0.7 + its credits. */
function slowSink(controller: BackPressureController): void {
  controller.meter('FinalSink').inService(1000, 1000);
}

describe('BackPressureController', () => {
  describe('credits', () => {
    it('grants what is free, never more, and takes it back', () => {
      const { controller, stage } = setUp();
      const lot = controller.requestCredits('KeyGen', 5000);
      expect(lot?.count).toBe(2000);
      expect(controller.requestCredits('KeyGen', 1)).toBeUndefined();
      lot?.release();
      expect(stage('KeyGen').credits).toMatchObject({ available: 2000, outstanding: 0 });
    });

    it('bounds a stage by bytes as well', () => {
      const stages = stagesWith({ KeyGen: { byteCapacity: 1000 } });
      const { controller, stage } = setUp({ stages });
      expect(controller.requestCredits('KeyGen', 3, [400, 400, 400])?.count).toBe(2);
      expect(stage('KeyGen').bytes).toEqual({ capacity: 1000, limit: 1000, outstanding: 800 });
    });

    it('shows a bound in bytes that is not set as null', () => {
      expect(setUp().stage('KeyGen').bytes).toEqual({
        capacity: null,
        limit: null,
        outstanding: 0,
      });
    });

    it('keeps a credit for each lane that holds none', () => {
      const { controller } = setUp({ stages: stagesWith({ KeyGen: { capacity: 10 } }) });
      controller.resizeStage('KeyGen', { activeLanes: 4 });
      expect(controller.requestCredits('KeyGen', 10, 0, 'a')?.count).toBe(7);
      expect(controller.requestCredits('KeyGen', 1, 0, 'b')?.count).toBe(1);
    });

    it('serves who waits in the order of coming', async () => {
      const { controller } = setUp({ stages: stagesWith({ KeyGen: { capacity: 2 } }) });
      const held = controller.requestCredits('KeyGen', 2);
      const first = controller.acquireCredits('KeyGen', 2);
      const second = controller.acquireCredits('KeyGen', 1);
      held?.release(1);
      expect((await first).count).toBe(1);
      held?.release(1);
      expect((await second).count).toBe(1);
    });

    it('rejects a wait with the error of the pool', async () => {
      const { controller, clock } = setUp({ stages: stagesWith({ KeyGen: { capacity: 1 } }) });
      controller.requestCredits('KeyGen', 1);
      const wait = controller.acquireCredits('KeyGen', 1, { timeoutMs: 50 });
      clock.advance(50);
      await expect(wait).rejects.toMatchObject({ code: 'FC_CREDIT_WAIT_TIMEOUT' });
    });

    it('counts, in the count form, what nobody held and ignores it (flaw 7)', () => {
      const { controller, stage } = setUp();
      const surpluses: Surplus[] = [];
      controller.events.on('surplus', (surplus) => surpluses.push(surplus));
      expect(controller.requestCreditCount('KeyGen', 3)).toBe(3);
      controller.replenishCredits('KeyGen', 3);
      controller.replenishCredits('KeyGen', 3);
      controller.evaluate();
      controller.evaluate();
      expect(stage('KeyGen').credits).toMatchObject({ available: 2000, outstanding: 0 });
      expect(surpluses).toEqual([{ pool: 'KeyGen', count: 3 }]);
    });

    it('counts a lot that is released twice, and grants no more for it (flaw 7)', () => {
      const { controller } = setUp();
      const lot = controller.requestCredits('FinalSink', 10);
      lot?.release();
      lot?.release(4);
      expect(controller.credits('FinalSink')).toMatchObject({ surplus: 4, available: 2500 });
      expect(controller.requestCreditCount('FinalSink', 9999)).toBe(2500);
      expect(controller.requestCreditCount('FinalSink', 1)).toBe(0);
    });

    it('passes records through a stage of one credit at factor 0.5 (L3, flaw 8)', () => {
      const stages = stagesWith({ FinalSink: { capacity: 1 } });
      const { controller, pass, stage } = setUp({ stages });
      const held = controller.requestCredits('FinalSink', 1);
      slowSink(controller);
      pass();
      held?.release();
      expect(stage('FinalSink').creditFactor).toBe(0.5);
      for (let i = 0; i < 3; i += 1) {
        const lot = controller.requestCredits('FinalSink', 1);
        expect(lot?.count).toBe(1);
        lot?.release();
      }
    });

    it('reopens a stage at its replenish rate after a declared stall', () => {
      const { controller, clock, stage } = setUp();
      controller.stalled('FinalSink', true);
      clock.advance(60_000);
      controller.stalled('FinalSink', false);
      clock.advance(1000);
      expect(stage('FinalSink').credits.limit).toBe(250);
      expect(controller.requestCredits('FinalSink', 2500)?.count).toBe(250);
    });

    it('names the stage that there is not', () => {
      const { controller } = setUp();
      expect(() => controller.requestCredits('Nowhere', 1)).toThrow(
        RangeError('There is no stage "Nowhere"'),
      );
    });

    it('refuses options without a stage, or with one stage twice', () => {
      expect(() => setUp({ stages: [] })).toThrow('at least one stage');
      const [gateway] = stagesWith({});
      expect(() => setUp({ stages: [gateway!, gateway!] })).toThrow('different ids');
    });
  });

  describe('inputs', () => {
    it('measures the queue as a mean over the interval: a reading of the last value would miss it', () => {
      const { controller, clock, stage } = setUp();
      controller.meter('KeyGen').queue(1000);
      clock.advance(1000);
      controller.meter('KeyGen').queue(0);
      clock.advance(1000);
      controller.evaluate();
      expect(stage('KeyGen').queueUtilization).toBe(0.25);
      clock.advance(2000);
      controller.evaluate();
      expect(stage('KeyGen').queueUtilization).toBe(0);
    });

    it('measures queue and credits against the window that throughput justifies, not the capacity', () => {
      const { controller, stage, pass } = setUp();
      controller.resizeStage('KeyGen', { window: 100 });
      controller.meter('KeyGen').queue(50);
      controller.requestCredits('KeyGen', 30);
      pass();
      expect(stage('KeyGen')).toMatchObject({ queueUtilization: 0.5, creditUtilization: 0.3 });
      expect(stage('KeyGen').credits).toMatchObject({ capacity: 2000, window: 100 });
    });

    it('takes other credits, another trigger and another latency target while it runs', () => {
      const { controller, stage, pass } = setUp();
      controller.requestCredits('KeyGen', 30);
      controller.configureStage('KeyGen', { capacity: 40, trigger: 0.5, latencyTargetMs: 10 });
      expect(controller.requestCredits('KeyGen', 30)?.count).toBe(10);
      controller.meter('KeyGen').queue(20);
      controller.meter('KeyGen').completed(1, 20);
      pass();
      expect(stage('KeyGen')).toMatchObject({ creditUtilization: 1, throttled: true });
      expect(stage('KeyGen').pressure).toBeGreaterThan(0.6);
      controller.configureStage('KeyGen', { capacity: 2000 });
      // The reaction in force stays: 0.8 of 2 000.
      expect(controller.requestCredits('KeyGen', 5000)?.count).toBe(1600 - 40);
    });

    it('measures a queue against the bound that the stage reports, when that is smaller', () => {
      const { controller, stage, pass } = setUp();
      controller.meter('IngressProcessing').queueCapacity(100);
      controller.meter('IngressProcessing').queue(60);
      pass();
      expect(stage('IngressProcessing').queueUtilization).toBe(0.6);
    });

    it.each([
      ['a callback', 190, 40, 40],
      ['Kafka', 370, 220, 220],
    ])('sees what waits in front of %s whose limit is full', (_, window, limit, pending) => {
      const { controller, stage, pass } = setUp();
      controller.resizeStage('FinalSink', { window, inServiceLimit: limit });
      controller.meter('FinalSink').inService(pending, 1000);
      controller.meter('FinalSink').queue(150);
      pass();
      expect(stage('FinalSink').queueUtilization).toBe(1);
    });

    it('takes the pipeline’s credits as the Gateway’s when those are the larger share', () => {
      const { controller, stage, pass } = setUp({
        pipeline: { capacity: 100, byteCapacity: 1000 },
      });
      for (let i = 0; i < 50; i += 1) controller.tryAdmit(1)?.gateway.release();
      pass();
      expect(stage('Gateway').creditUtilization).toBe(0.5);
    });

    it('moves the Gateway’s queue and latency with a known load (flaw 11)', () => {
      const { controller, clock, stage } = setUp({
        stages: stagesWith({ Gateway: { capacity: 1 } }),
      });
      const admission = controller.tryAdmit(1);
      for (let i = 0; i < 500; i += 1) {
        void controller.admit(1, { timeoutMs: 60_000 }).catch(() => undefined);
      }
      clock.advance(2000);
      controller.evaluate();
      expect(stage('Gateway').queueUtilization).toBe(0.5);
      admission?.release();
      controller.meter('Gateway').completed(1, 30);
      clock.advance(2);
      controller.meter('Gateway').completed(1, 50);
      controller.evaluate();
      expect(stage('Gateway').processingLatencyMs).toBeCloseTo(30 + 20 * (1 - Math.exp(-0.002)), 6);
      controller.stop();
    });

    it('counts callers who wait for a permit of a stage into its queue', async () => {
      const { controller, stage, pass } = setUp({
        semaphores: { gateway: { permits: 1, queueCapacity: 10, stage: 'Gateway' } },
      });
      const permit = controller.semaphore('gateway').tryAcquire();
      const waits = Array.from({ length: 10 }, () =>
        controller
          .acquirePermit('gateway', { timeoutMs: 60_000 })
          .then((granted) => granted.release()),
      );
      pass();
      expect(stage('Gateway').queueUtilization).toBe(0.01);
      permit?.release();
      await Promise.all(waits);
      pass();
      expect(stage('Gateway').queueUtilization).toBe(0);
    });

    it('forgets an hour of success after 10 s of failure, and counts each failure once (flaw 14)', () => {
      const { controller, clock, stage } = setUp();
      const meter = controller.meter('AsyncEgress');
      for (let second = 0; second < 3600; second += 1) {
        meter.completed(10, 5);
        clock.advance(1000);
      }
      for (let second = 0; second < 10; second += 1) {
        meter.failed(10);
        clock.advance(1000);
      }
      controller.evaluate();
      expect(stage('AsyncEgress').errorRate).toBeGreaterThanOrEqual(0.9);
    });

    it('tells nothing of errors from fewer than ten results', () => {
      const { controller, stage, pass } = setUp();
      controller.meter('AsyncEgress').failed(9);
      pass();
      expect(stage('AsyncEgress').errorRate).toBe(0);
      controller.meter('AsyncEgress').failed(5);
      controller.meter('AsyncEgress').completed(10, 1);
      pass();
      expect(stage('AsyncEgress').errorRate).toBeCloseTo(14 / 24, 9);
    });

    it('shows every stage under load (flaw 17)', () => {
      const { controller, pass } = setUp();
      controller.tryAdmit(100);
      for (const id of ['KeyGen', 'IngressProcessing', 'AsyncEgress', 'FinalSink']) {
        controller.requestCredits(id, 100);
      }
      pass();
      for (const { pressure } of controller.getPipelineStatus().stages) {
        expect(pressure).toBeGreaterThan(0);
      }
    });

    it('reads KeyGen at 0.8 or more while Ingress is stalled (flaw 12)', () => {
      const { controller, stage, pass } = setUp();
      const held = controller.requestCredits('KeyGen', 2000);
      controller.meter('KeyGen').queue(2000);
      pass();
      expect(stage('KeyGen').pressure).toBeGreaterThanOrEqual(0.8);
      held?.release();
    });

    it('reads a hung call without errors as critical (flaw 13)', () => {
      const stages = stagesWith({ AsyncEgress: { longestServiceMs: 60_000 } });
      const { controller, stage, pass } = setUp({ stages });
      controller.requestCredits('AsyncEgress', 3000);
      pass();
      expect(stage('AsyncEgress')).toMatchObject({ pressure: 0.8, level: 'critical' });
      expect(controller.requestCredits('AsyncEgress', 1)).toBeUndefined();
      expect(controller.bottleneck?.stage).toBe('AsyncEgress');
    });

    it('does not freeze during an outage: nothing comes out, so the stage is stuck (L4, flaw 15)', () => {
      const stages = stagesWith({ FinalSink: { longestServiceMs: 5000 } });
      const { controller, stage, pass } = setUp({ stages });
      controller.requestCredits('FinalSink', 1);
      controller.meter('FinalSink').completed(100, 5);
      pass();
      expect(controller.getPipelineStatus().pressure).toBeLessThan(0.3);
      // Two intervals and the timeout: 9 s.
      for (let i = 0; i < 4; i += 1) pass();
      expect(stage('FinalSink')).toMatchObject({ pressure: 1, stale: true });
      expect(controller.getPipelineStatus().pressure).toBe(1);
      expect(controller.bottleneck?.signal).toBe('stuck');
    });

    it('does not call a stage stuck that was idle and has just got work', () => {
      const { controller, clock, stage } = setUp();
      clock.advance(3_600_000);
      controller.requestCredits('FinalSink', 1);
      clock.advance(100);
      controller.evaluate();
      expect(stage('FinalSink').stale).toBe(false);
    });

    it('takes a latency of the past as gone once the stage is idle', () => {
      const { controller, stage, pass } = setUp();
      const lot = controller.requestCredits('AsyncEgress', 1);
      controller.meter('AsyncEgress').completed(1, 3000);
      lot?.release();
      pass();
      expect(stage('AsyncEgress').processingLatencyMs).toBe(3000);
      pass();
      expect(stage('AsyncEgress').processingLatencyMs).toBe(0);
    });

    it('takes memory and network of the process into overall and the Gateway, not into every stage', () => {
      const { controller, stage, pass, probe } = setUp();
      controller.setProcessInput('network', 'pool wait', () => 0.7);
      probe.heap = 0.75;
      pass();
      expect(controller.getPipelineStatus()).toMatchObject({
        pressure: 0.7,
        meanPressure: 0,
        process: { memory: 0.2, network: 0.7 },
        bottleneck: { stage: 'process', signal: 'network' },
      });
      expect(stage('Gateway')).toMatchObject({ effectivePressure: 0.7, throttleDelayMs: 20 });
      expect(stage('KeyGen')).toMatchObject({ effectivePressure: 0, throttled: false });
      expect(controller.refusal('Gateway', 'credit').stage).toBe('Gateway');
    });

    it('takes bytes in flight against the pipeline’s budget as memory', () => {
      const { controller, pass } = setUp({ pipeline: { capacity: 10, byteCapacity: 1000 } });
      controller.tryAdmit(1, 650);
      pass();
      expect(controller.getPipelineStatus().process.memory).toBe(0.65);
    });
  });

  describe('reactions', () => {
    it('spreads a dead sink: overall 1.0, true for all five stages, 20 ms at the Gateway', () => {
      const stages = stagesWith({ FinalSink: { longestServiceMs: 60_000 } });
      const { controller, pass } = setUp({ stages });
      controller.requestCredits('FinalSink', 2500);
      slowSink(controller);
      pass();
      pass();
      const status = controller.getPipelineStatus();
      expect(status).toMatchObject({ pressure: 1, level: 'critical', meanPressure: 0.2 });
      expect(status.stages.map((stage) => stage.effectivePressure)).toEqual([
        0.6561, 0.729, 0.81, 0.9, 1,
      ]);
      expect(status.stages.map((stage) => stage.throttled)).toEqual([true, true, true, true, true]);
      expect(controller.getStageThrottleDelayMs('Gateway')).toBe(20);
      expect(status.bottleneck).toMatchObject({
        stage: 'FinalSink',
        signal: 'queue',
        sentence: 'FinalSink: pending acknowledgments 1000/1000 (0.70 of 1.00)',
      });
    });

    it('reaches the delay of 20 ms at pressure 0.7 (flaw 30)', () => {
      const { controller, pass } = setUp();
      controller.setProcessInput('memory', 'test', () => 0.7);
      pass();
      expect(controller.getStageThrottleDelayMs('Gateway')).toBe(20);
    });

    it('tells of a change, once', () => {
      const { controller, pass } = setUp();
      const reactions: ReactionChange[] = [];
      controller.events.on('reaction', (reaction) => reactions.push(reaction));
      controller.requestCredits('FinalSink', 2500);
      slowSink(controller);
      for (let i = 0; i < 5; i += 1) pass();
      const sink = reactions.filter(({ stage }) => stage === 'FinalSink');
      expect(sink).toEqual([
        {
          stage: 'FinalSink',
          creditFactor: 0.5,
          throttleDelayMs: 100,
          pressure: 1,
          effectivePressure: 1,
        },
      ]);
    });

    it('tells when a level changes, of a stage and of the pipeline', () => {
      const { controller, pass } = setUp();
      const levels: LevelChange[] = [];
      controller.events.on('level', (level) => levels.push(level));
      slowSink(controller);
      controller.meter('FinalSink').queue(0);
      for (let i = 0; i < 3; i += 1) pass();
      expect(levels).toEqual([
        { of: 'FinalSink', from: 'healthy', to: 'high', pressure: 0.7 },
        { of: 'pipeline', from: 'healthy', to: 'high', pressure: 0.7 },
      ]);
    });

    it('keeps to the work in service: a factor shortens the queue only', () => {
      const { controller, pass, stage } = setUp();
      controller.resizeStage('FinalSink', { inServiceLimit: 2000 });
      slowSink(controller);
      controller.requestCredits('FinalSink', 2500);
      pass();
      expect(stage('FinalSink')).toMatchObject({ creditFactor: 0.5, credits: { limit: 2000 } });
    });

    it('does not feed its own input: idle after overload, everything is restored in an interval (L1, flaw 9)', () => {
      const { controller, pass, stage } = setUp();
      const lots = ['KeyGen', 'IngressProcessing', 'AsyncEgress', 'FinalSink'].map((id) => {
        controller.meter(id).queue(5000);
        controller.meter(id).completed(1, 5000);
        return controller.requestCredits(id, 9999);
      });
      const admission = controller.tryAdmit(1000);
      slowSink(controller);
      pass();
      pass();
      expect(controller.getPipelineStatus().stages.map((each) => each.creditFactor)).toEqual([
        0.5, 0.5, 0.5, 0.5, 0.5,
      ]);
      for (const lot of lots) lot?.release();
      admission?.release();
      for (const id of ['KeyGen', 'IngressProcessing', 'AsyncEgress', 'FinalSink']) {
        controller.meter(id).queue(0);
      }
      controller.meter('FinalSink').inService(0, 1000);
      // This pass still looks back on an interval of overload.
      controller.evaluate();
      pass();
      expect(controller.getPipelineStatus().stages.map((each) => each.creditFactor)).toEqual([
        1, 1, 1, 1, 1,
      ]);
      expect(stage('Gateway').throttled).toBe(false);
    });

    it('reads a pool at factor 0.5 that is full to its limit as half full', () => {
      const { controller, pass, stage } = setUp();
      slowSink(controller);
      pass();
      expect(stage('FinalSink').creditFactor).toBe(0.8);
      controller.requestCredits('FinalSink', 9999);
      pass();
      expect(stage('FinalSink').creditUtilization).toBe(0.8);
    });

    it('leaves admission open after a peak of memory that the process does not give back (L7)', () => {
      const { controller, pass, probe, stage } = setUp();
      probe.heap = 0.95;
      probe.rss = 0.99;
      pass();
      expect(stage('Gateway').throttleDelayMs).toBe(100);
      probe.heap = 0.4;
      pass();
      expect(controller.getPipelineStatus().process.memory).toBe(1);
      expect(stage('Gateway')).toMatchObject({ throttled: false, throttleDelayMs: 0 });
      expect(controller.tryAdmit(1)).toBeDefined();
      expect(controller.admitsBulk).toBe(false);
      probe.rss = 0.5;
      pass();
      expect(controller.admitsBulk).toBe(true);
    });

    it('does not take its own delay for latency (L8)', () => {
      const { controller, pass, clock, stage } = setUp();
      controller.setProcessInput('memory', 'test', () => 1);
      pass();
      for (let i = 0; i < 20; i += 1) {
        const delayMs = controller.getStageThrottleDelayMs('Gateway');
        expect(delayMs).toBe(100);
        clock.advance(delayMs);
        const admission = controller.tryAdmit(1);
        clock.advance(5);
        controller.meter('Gateway').completed(1, clock.now() - admission!.gateway.grantedAtMs);
        admission?.release();
      }
      controller.evaluate();
      expect(stage('Gateway')).toMatchObject({ processingLatencyMs: 5, pressure: 0.01 });
    });

    it('changes nothing when it is read a thousand times (flaw 16)', () => {
      const read = setUp();
      const unread = setUp();
      for (const { controller } of [read, unread]) {
        slowSink(controller);
        controller.requestCredits('FinalSink', 1200);
        controller.meter('KeyGen').queue(700);
      }
      for (let i = 0; i < 1000; i += 1) {
        for (const { clock } of [read, unread]) clock.advance(3);
        read.controller.getPipelineStatus();
        read.controller.shouldThrottleStage('Gateway');
        read.controller.refusal('Gateway', 'credit');
      }
      for (const { controller } of [read, unread]) controller.evaluate();
      expect(read.controller.getPipelineStatus()).toEqual(unread.controller.getPipelineStatus());
    });

    it('uses one scale of words, at 0.3, 0.6 and 0.8 (flaw 31)', () => {
      const { controller, pass } = setUp();
      let pressure = 0;
      controller.setProcessInput('network', 'test', () => pressure);
      const words = [0.299, 0.3, 0.599, 0.6, 0.799, 0.8].map((value) => {
        pressure = value;
        pass();
        return controller.getPipelineStatus().level;
      });
      expect(words).toEqual(['healthy', 'moderate', 'moderate', 'high', 'high', 'critical']);
    });
  });

  describe('triggers', () => {
    it('raises an event for a burst of half a second between two passes (flaw 4)', () => {
      const { controller, clock, triggers } = setUp();
      controller.start();
      clock.advance(300);
      controller.meter('KeyGen').queue(1700);
      clock.advance(500);
      controller.meter('KeyGen').queue(0);
      expect(triggers).toEqual([{ stage: 'KeyGen', signal: 'queue', value: 0.85, threshold: 0.8 }]);
      controller.stop();
    });

    it('evaluates at once on a trigger', () => {
      const { controller, stage } = setUp();
      controller.requestCredits('KeyGen', 2000);
      controller.meter('KeyGen').queue(2000);
      expect(stage('KeyGen').pressure).toBe(0.9);
    });

    it('throttles the Gateway early at 0.70, without bulk, until 0.63', () => {
      const { controller, stage } = setUp();
      const lots = Array.from({ length: 700 }, () => controller.tryAdmit(1));
      expect(stage('Gateway')).toMatchObject({
        pressure: 0.56,
        level: 'moderate',
        throttled: true,
        throttleDelayMs: 20,
      });
      expect(controller.admitsBulk).toBe(false);
      for (const lot of lots.splice(0, 60)) lot?.release();
      controller.evaluate();
      expect(stage('Gateway').throttleDelayMs).toBe(20);
      for (const lot of lots.splice(0, 20)) lot?.release();
      controller.evaluate();
      expect(stage('Gateway').throttleDelayMs).toBe(0);
      expect(controller.admitsBulk).toBe(true);
    });

    it.each([
      ['AsyncEgress', 45, 46, 50],
      ['FinalSink', 850, 851, 1000],
    ])('watches the configured limit of %s: %d is fine, %d is not', (id, fine, above, limit) => {
      const { controller, triggers } = setUp();
      controller.resizeStage(id, { inServiceLimit: 4 });
      controller.meter(id).inService(fine, limit);
      expect(triggers).toEqual([]);
      controller.meter(id).inService(above, limit);
      expect(triggers).toMatchObject([{ stage: id, signal: 'in-service' }]);
      expect(controller.shouldThrottleStage(id)).toBe(true);
    });

    it('tells of latency above the target and of errors above the tolerance', () => {
      const { controller, pass, triggers } = setUp();
      const cleared: TriggerChange[] = [];
      controller.events.on('triggerCleared', (change) => cleared.push(change));
      const lot = controller.requestCredits('AsyncEgress', 1);
      controller.meter('AsyncEgress').completed(94, 1500);
      controller.meter('AsyncEgress').failed(6);
      pass();
      expect(triggers).toEqual([
        { stage: 'AsyncEgress', signal: 'latency', value: 2000, threshold: 1000 },
        { stage: 'AsyncEgress', signal: 'error', value: 0.06, threshold: 0.05 },
      ]);
      lot?.release();
      for (let i = 0; i < 6; i += 1) pass();
      expect(cleared.map(({ signal }) => signal)).toEqual(['latency', 'error']);
    });

    it('tells of external timeouts at once, and once per interval', () => {
      const { controller, pass, triggers } = setUp();
      const meter = controller.meter('AsyncEgress');
      meter.failed(1, 'timeout');
      meter.failed(1, 'timeout');
      expect(triggers).toMatchObject([{ stage: 'AsyncEgress', signal: 'timeout' }]);
      pass();
      pass();
      meter.failed(1, 'timeout');
      meter.failed(1);
      expect(triggers).toHaveLength(2);
    });
  });

  describe('time shares', () => {
    it('counts a stage as busy from its first record to its last', () => {
      const { controller, clock, stage } = setUp();
      const lot = controller.requestCredits('KeyGen', 2);
      clock.advance(300);
      lot?.release(1);
      clock.advance(300);
      lot?.release(1);
      clock.advance(400);
      expect(stage('KeyGen')).toMatchObject({ busyRatio: 0.6, blockedRatio: 0, idleRatio: 0.4 });
    });

    it('counts a stage as blocked while it waits for credits of the next one', async () => {
      const { controller, clock, stage } = setUp();
      controller.requestCredits('AsyncEgress', 100);
      const held = controller.requestCredits('FinalSink', 2500);
      const wait = controller.acquireCredits('FinalSink', 1);
      clock.advance(2000);
      expect(stage('AsyncEgress')).toMatchObject({ busyRatio: 0, blockedRatio: 1 });
      held?.release(1);
      await wait;
      clock.advance(2000);
      expect(stage('AsyncEgress')).toMatchObject({ busyRatio: 1, blockedRatio: 0 });
    });

    it('counts what a stage says itself', () => {
      const { controller, clock, stage } = setUp();
      controller.meter('FinalSink').blocked(true);
      clock.advance(1000);
      expect(stage('FinalSink').blockedRatio).toBe(1);
    });
  });

  describe('a refusal', () => {
    it('names the bottleneck, and the given stage without one', () => {
      const { controller, pass } = setUp();
      expect(controller.refusal('KeyGen', 'credit')).toMatchObject({
        stage: 'KeyGen',
        signal: 'credit',
        pressure: 0,
        retryAfterMs: 1000,
        message: 'KeyGen has no room: credit',
      });
      slowSink(controller);
      pass();
      expect(controller.refusal('KeyGen', 'credit')).toMatchObject({
        stage: 'FinalSink',
        signal: 'credit',
        pressure: 0.7,
        message: 'KeyGen has no room: FinalSink: pending acknowledgments 1000/1000 (0.70 of 0.70)',
      });
      expect(controller.refusal('KeyGen', 'deadline', 'too late').message).toBe('too late');
    });

    it('tells how long those ahead will take', () => {
      const { controller, clock } = setUp({ stages: stagesWith({ Gateway: { capacity: 1 } }) });
      controller.tryAdmit(1);
      for (let i = 0; i < 400; i += 1) void controller.admit(1).catch(() => undefined);
      for (let i = 0; i < 10; i += 1) {
        controller.meter('FinalSink').completed(200, 1);
        clock.advance(10);
      }
      expect(controller.refusal('Gateway', 'queue').retryAfterMs).toBe(1000);
      for (let i = 0; i < 20; i += 1) {
        controller.meter('FinalSink').completed(20, 1);
        clock.advance(1);
      }
      controller.stop();
    });
  });

  describe('its life', () => {
    it('passes every interval from start to stop, however often it is started', () => {
      const { controller, clock, stage, probe } = setUp();
      controller.meter('KeyGen').queue(1000);
      clock.advance(2000);
      expect(stage('KeyGen').queueUtilization).toBe(0);
      controller.start();
      controller.start();
      expect(clock.pendingTimers).toBe(1);
      clock.advance(2000);
      expect(stage('KeyGen').queueUtilization).toBe(0.5);
      controller.stop();
      expect(clock.pendingTimers).toBe(0);
      expect(probe.stops).toBe(1);
    });

    it('ends every wait when it stops; what is granted still comes back', async () => {
      const { controller } = setUp({
        stages: stagesWith({ Gateway: { capacity: 1 }, KeyGen: { capacity: 1 } }),
        semaphores: { gateway: { permits: 1, queueCapacity: 1 } },
      });
      const admission = controller.tryAdmit(1);
      controller.requestCredits('KeyGen', 1);
      controller.semaphore('gateway').tryAcquire();
      const waits = [
        controller.admit(1),
        controller.acquireCredits('KeyGen', 1),
        controller.acquirePermit('gateway'),
      ];
      controller.stop();
      for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'FC_CLOSED' });
      await expect(controller.admit(1)).rejects.toMatchObject({ code: 'FC_CLOSED' });
      await expect(controller.acquirePipelineCredits(1)).rejects.toMatchObject({
        code: 'FC_CLOSED',
      });
      admission?.release();
      expect(controller.credits('pipeline').outstanding).toBe(0);
      expect(controller.tryAdmit(1)).toBeUndefined();
    });

    it('runs on the clock of the system without one of its own', () => {
      const { clock: _, probe: __, random: ___, ...options } = backPressureOptions();
      const controller = new BackPressureController(options);
      controller.start();
      controller.evaluate();
      expect(controller.getPipelineStatus().stages).toHaveLength(5);
      expect(controller.random()).toBeLessThan(1);
      controller.stop();
    });
  });

  describe('semaphores', () => {
    it('are found by name, made once and resized later', () => {
      const { controller } = setUp();
      const made = controller.semaphore('calls', { permits: 2, queueCapacity: 0 });
      expect(controller.semaphore('calls')).toBe(made);
      expect(controller.semaphore('calls', { permits: 3, queueCapacity: 0 })).toBe(made);
      expect(made.capacity).toBe(3);
      expect(() => controller.semaphore('other')).toThrow('There is no semaphore "other"');
    });
  });
});
