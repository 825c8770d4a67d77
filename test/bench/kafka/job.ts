/** What a variant is to do: every record of one topic to another, each in the ledger of its own database. */
export interface Job {
  readonly brokers: string;
  readonly groupId: string;
  readonly inputTopic: string;
  readonly outputTopic: string;
  readonly databaseUrl: string;
}

export const PARTITIONS = 4;

/** Patterns of stock Nest are written down in its decorators, so the topics have fixed names. */
export const TOPICS = { many: 'bench-many', few: 'bench-few' } as const;
