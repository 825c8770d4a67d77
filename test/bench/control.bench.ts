import { STAGE_IDS } from '../../src/pipeline/stage.js';
import type { Bench, Figures, Report } from './bench.js';
import { Child } from './child.js';
import type { ControlOrder, ControlResult } from './control/order.js';
import { controllerOptions } from './control/pipeline.js';
import { alternate, section, type Variant } from './rounds.js';

const ROUNDS = 7;
const DURATION_MS = 600;
const STAGE_ROUNDS = 5;
const STAGE_DURATION_MS = 300;
/** As many as a Kafka batch will bring at a time. */
const SLICE_RECORDS = 500;
const US_PER_SECOND = 1e6;

type ControlChild = Child<ControlOrder, ControlResult>;

/** Five stages with credits, pressure and limits on, in process and without I/O, beside the same with control off. */
export const controlBench: Bench = {
  name: 'control',
  async run(progress): Promise<Report> {
    const children: ControlChild[] = [];
    const start = (name: string): ControlChild => {
      const child: ControlChild = Child.start(new URL('./control/variant.js', import.meta.url), [
        name,
      ]);
      children.push(child);
      return child;
    };
    try {
      const slices = await onAndOff(start, SLICE_RECORDS, progress);
      const singles = await onAndOff(start, 1, progress);
      const stages = await stageTable(start, progress);
      return {
        sections: [
          section(`Slices of ${SLICE_RECORDS} records`, slices, ON_AND_OFF),
          section('Single records, 64 at a time', singles, ON_AND_OFF),
          section('The stages beside the design', stages, []),
        ],
        settings: { ROUNDS, DURATION_MS, STAGE_ROUNDS, STAGE_DURATION_MS, SLICE_RECORDS },
      };
    } finally {
      await Promise.all(children.map((child) => child.stop()));
    }
  },
};

const ON_AND_OFF = [
  { figure: 'cpuUs', of: 'on', to: 'off', as: 'difference' },
  { figure: 'cpuUs', of: 'on', to: 'off', as: 'ratio' },
] as const;

type Start = (name: string) => ControlChild;
type Progress = (line: string) => void;

async function onAndOff(start: Start, sliceRecords: number, progress: Progress) {
  const order: ControlOrder = { sliceRecords, durationMs: DURATION_MS };
  const variants = ['on', 'off'].map((name): Variant => {
    const child = start(name);
    return { name, run: () => child.ask(order) };
  });
  return alternate(variants, {
    rounds: ROUNDS,
    progress: (line) => progress(`slices of ${sliceRecords}, ${line}`),
  });
}

/** Each stage alone for its cost, and all together for the time records spend in each. */
async function stageTable(start: Start, progress: Progress) {
  const whole = start('latencies');
  let latencies: Figures = {};
  const variants = STAGE_IDS.map((id): Variant => {
    const child = start(id);
    return {
      name: id,
      run: async () => {
        // The whole pipeline once a round; every stage reads its own of that run.
        if (id === STAGE_IDS[0]) latencies = await whole.ask(stageOrder(SLICE_RECORDS));
        const slices = await child.ask(stageOrder(SLICE_RECORDS));
        const singles = await child.ask(stageOrder(1));
        return {
          ...designOf(id),
          slicesUs: slices.cpuUs,
          singlesUs: singles.cpuUs,
          slicesPerSecond: US_PER_SECOND / slices.cpuUs,
          singlesPerSecond: US_PER_SECOND / singles.cpuUs,
          p50Ms: latencies[`${id} p50Ms`] ?? Number.NaN,
          p99Ms: latencies[`${id} p99Ms`] ?? Number.NaN,
        };
      },
    };
  });
  return alternate(variants, {
    rounds: STAGE_ROUNDS,
    progress: (line) => progress(`stage alone, ${line}`),
  });
}

function stageOrder(sliceRecords: number): ControlOrder {
  return { sliceRecords, durationMs: STAGE_DURATION_MS };
}

/** What the design sets for the stage. */
function designOf(id: string): Figures {
  const spec = controllerOptions().stages.find((stage) => stage.id === id);
  if (spec === undefined) return {};
  const { capacity, replenishPerSecond, latencyTargetMs } = spec;
  return { credits: capacity, replenishPerSecond, targetMs: latencyTargetMs };
}
