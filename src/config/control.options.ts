import { options, type OptionsOf, ratio, wholeNumber } from './option.js';

export const controlOptions = options('', {
  monitoringIntervalMs: wholeNumber({ min: 10 })
    .default(2000)
    .describe('Time between two passes of the pressure loop, in ms.'),
  moderatePressureThreshold: ratio()
    .default(0.6)
    .describe('Pressure from which a stage counts as throttled and its credits fall to 0.8.'),
  highPressureThreshold: ratio()
    .default(0.8)
    .describe('Pressure from which the credits of a stage fall to 0.5.'),
  criticalPressureThreshold: ratio()
    .default(0.9)
    .describe('Pressure of the Gateway from which callers are delayed by 100 ms.'),
  errorTolerance: ratio()
    .default(0.05)
    .describe('Share of failures of a stage above which a trigger is raised.'),
});
export type ControlOptions = OptionsOf<typeof controlOptions>;
