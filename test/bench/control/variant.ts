/** A process that runs one variant: `on`, `off`, `latencies`, or a stage's name for that stage alone. */
import { BackPressureController } from '#libs/back-pressure';
import { STAGE_IDS, type StageId } from '../../../src/pipeline/stage.js';
import type { Figures } from '../bench.js';
import { answer } from '../child.js';
import { drive, type Driven } from './drive.js';
import { End, LoneStage } from './lone-stage.js';
import { MeasuringController } from './measuring-controller.js';
import { OpenController } from './open-controller.js';
import type { ControlOrder } from './order.js';
import { controllerOptions, makeStages, startStages } from './pipeline.js';
import { Source } from './source.js';

interface Variant extends Driven {
  /** What it measures beside the cost. */
  figures?(): Figures;
}

async function whole(controller: BackPressureController, isLimited: boolean): Promise<Variant> {
  const entry = await startStages(makeStages(controller), controller);
  return new Source(controller, entry, isLimited);
}

async function withLatencies(): Promise<Variant> {
  const controller = new MeasuringController(controllerOptions());
  const source = await whole(controller, true);
  return {
    send: (count) => source.send(count),
    get left() {
      return source.left;
    },
    figures: () => {
      const quantiles: Record<string, number> = {};
      for (const [stage, latency] of controller.latencies) {
        quantiles[`${stage} p50Ms`] = latency.quantile(0.5);
        quantiles[`${stage} p99Ms`] = latency.quantile(0.99);
        latency.reset();
      }
      return quantiles;
    },
  };
}

async function alone(id: StageId): Promise<Variant> {
  const controller = new BackPressureController(controllerOptions());
  const { stages, inFlight } = makeStages(controller);
  const stage = stages.find((each) => each.id === id);
  if (stage === undefined) throw new Error(`There is no stage ${id}.`);
  controller.start();
  await stage.start();
  const next = STAGE_IDS[STAGE_IDS.indexOf(id) + 1];
  return new LoneStage(controller, stage, new End(next ?? id, inFlight));
}

function make(name: string | undefined): Promise<Variant> {
  const stage = STAGE_IDS.find((id) => id === name);
  if (stage !== undefined) return alone(stage);
  switch (name) {
    case 'on':
      return whole(new BackPressureController(controllerOptions()), true);
    case 'off':
      return whole(new OpenController(controllerOptions()), false);
    case 'latencies':
      return withLatencies();
    default:
      throw new Error(`There is no variant ${name}.`);
  }
}

const variant = make(process.argv[2]);
answer(async (order: ControlOrder) => {
  const driven = await variant;
  const cost = await drive(driven, order);
  return { ...cost, ...driven.figures?.() };
});
