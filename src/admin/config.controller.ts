import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import { EFFECTIVE_SETTINGS, type EffectiveSetting } from '../config/load-options.js';
import { limitSettings } from '../config/stage-limits.js';
import { STAGE_IDS } from '../pipeline/stage-id.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { withDatabase } from './admin-problem.js';
import { Audit, type AuditEntry } from './audit.js';
import { RuntimeSettings } from './runtime-settings.js';

interface ConfigEntry {
  readonly name: string;
  /** As text; a secret says only whether it is set. */
  readonly value: string;
  readonly source: EffectiveSetting['source'] | 'override';
  /** What the start said, where an operator has changed it. */
  readonly configured?: string;
}

const configSchema = z.array(
  z.object({
    name: z.string(),
    value: z.string().describe('As text; a secret says only whether it is set.'),
    source: z.enum(['default', 'environment', '.env', 'pipeline', 'override']),
    configured: z
      .string()
      .optional()
      .describe('What the start said, where an operator has changed it.'),
  }),
);

const auditSchema = z.array(
  z.object({
    at: z.iso.datetime(),
    by: z.string(),
    instance: z.string().describe('The replica that was asked.'),
    action: z.string(),
    target: z.string(),
    from: z.unknown().optional(),
    to: z.unknown().optional(),
  }),
);

/** What this replica runs with, and who has changed what. */
@AdminOnly()
@Controller('v1/admin')
export class ConfigController {
  constructor(
    @Inject(EFFECTIVE_SETTINGS) private readonly loaded: readonly EffectiveSetting[],
    private readonly settings: RuntimeSettings,
    private readonly trail: Audit,
  ) {}

  @Get('config')
  @DescribeAdmin({
    summary: 'Every setting as it holds now, and where it comes from.',
    answer: {
      description: 'Of this replica.',
      schema: configSchema,
      example: [
        { name: 'PORT', value: '3000', source: 'default' },
        { name: 'ADMIN_TOKEN', value: '(set, not shown)', source: 'environment' },
        { name: 'FINAL_SINK_BUFFER_SIZE', value: '500', source: 'override', configured: '2500' },
      ],
    },
  })
  config(): readonly ConfigEntry[] {
    const changed = new Map(
      STAGE_IDS.flatMap((stage) => limitSettings(stage, this.settings.override(stage))),
    );
    return this.loaded.map(({ name, shown, source }) => {
      const value = changed.get(name);
      return value === undefined
        ? { name, value: shown, source }
        : { name, value: String(value), source: 'override', configured: shown };
    });
  }

  @Get('audit')
  @DescribeAdmin({
    summary: 'What operators have changed, newest first: the last hundred changes.',
    answer: {
      description: 'Of every replica on this database.',
      schema: auditSchema,
      example: [
        {
          at: '2026-01-01T12:00:00.000Z',
          by: 'admin-token@10.0.0.7',
          instance: 'penstock-0',
          action: 'change',
          target: 'stage FinalSink',
          from: {},
          to: { bufferSize: 500 },
        },
      ],
    },
    problems: [503],
  })
  audit(): Promise<readonly AuditEntry[]> {
    return withDatabase(() => this.trail.latest());
  }
}
