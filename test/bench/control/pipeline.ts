import type { BackPressureController, BackPressureOptions } from '#libs/back-pressure';
import { type Clock, SystemClock } from '#libs/flow-control';
import { AsyncEgressStage } from '../../../src/async-egress/async-egress.stage.js';
import { appOptionGroups, type AppOptions } from '../../../src/config/app-options.js';
import { FinalSinkStage } from '../../../src/final-sink/final-sink.stage.js';
import { GatewayStage } from '../../../src/gateway/gateway.stage.js';
import { IngressStage } from '../../../src/ingress/ingress.stage.js';
import { KeyGenStage } from '../../../src/keygen/keygen.stage.js';
import { memoryLimitBytes } from '../../../src/pipeline/buffer-memory.js';
import { definePipeline } from '../../../src/pipeline/definition.js';
import { InFlight } from '../../../src/pipeline/in-flight.js';
import { Settlement } from '../../../src/pipeline/settlement.js';
import { StageRuntime } from '../../../src/pipeline/stage-runtime.js';
import { backPressureOptions } from '../../../src/pipeline/stage-specs.js';
import type { Stage } from '../../../src/pipeline/stage.js';
import { CountingAcknowledgments, CountingJournal, memorySink } from './memory-books.js';

export interface Payload {
  readonly customerId: string;
}

/** No schema and no functions but the key: what users write is not what is measured. */
const definition = definePipeline<Payload>({ name: 'bench', key: ({ customerId }) => customerId });

export const clock: Clock = new SystemClock();

/** The settings that a service without any has. */
export function defaultOptions(): AppOptions {
  const groups = Object.entries(appOptionGroups);
  return Object.fromEntries(
    groups.map(([name, { schema }]) => [name, schema.parse({})]),
  ) as unknown as AppOptions;
}

export function controllerOptions(): BackPressureOptions {
  return { ...backPressureOptions(defaultOptions(), memoryLimitBytes()), clock };
}

export interface Stages {
  /** Upstream to downstream, not connected yet. */
  readonly stages: readonly Stage[];
  readonly inFlight: InFlight;
}

/** The five stages as the application wires them. */
export function makeStages(controller: BackPressureController): Stages {
  const { gateway, keygen, ingress, egress, finalSink } = defaultOptions();
  const runtime = new StageRuntime(controller, clock, Math.random);
  const inFlight = new InFlight();
  const deadLetters = { isEnabled: true, free: Infinity };
  const settlement = new Settlement(new CountingAcknowledgments(), inFlight, deadLetters, clock);
  const stages = [
    new GatewayStage(gateway, runtime),
    new KeyGenStage(runtime, keygen, definition, inFlight),
    new IngressStage(runtime, ingress, definition, new CountingJournal(), settlement),
    new AsyncEgressStage(runtime, egress, settlement, undefined),
    new FinalSinkStage(runtime, finalSink, settlement, [{ sink: memorySink, isRequired: true }]),
  ];
  return { stages, inFlight };
}

/** Connects and starts them; gives the first one. */
export async function startStages(
  { stages }: Stages,
  controller: BackPressureController,
): Promise<Stage> {
  const [first] = stages;
  if (first === undefined) throw new Error('There are no stages.');
  controller.start();
  stages.forEach((stage, i) => {
    const next = stages[i + 1];
    if (next !== undefined) stage.connect(next);
  });
  for (const stage of stages.toReversed()) await stage.start();
  return first;
}
