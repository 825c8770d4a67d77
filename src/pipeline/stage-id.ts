/** The stages in the order in which a record passes them. */
export const STAGE_IDS = [
  'Gateway',
  'KeyGen',
  'IngressProcessing',
  'AsyncEgress',
  'FinalSink',
] as const;
export type StageId = (typeof STAGE_IDS)[number];
