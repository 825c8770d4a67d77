import { type DynamicModule, Module } from '@nestjs/common';
import { BackPressureController } from '#libs/back-pressure';
import { SystemClock } from '#libs/flow-control';
import { KafkaSource, Transactions } from '#libs/kafka';
import {
  ASYNC_EGRESS_OPTIONS,
  type AsyncEgressOptions,
} from '../async-egress/async-egress.options.js';
import { APP_OPTIONS } from '../config/app-options.js';
import { DeadLetterStore } from '../dead-letters/dead-letter-store.js';
import { Acknowledgments } from '../ledger/acknowledgments.port.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from './definition.js';
import { Destinations } from './destination/destinations.js';
import { InFlight } from './in-flight.js';
import { Intake } from './intake.js';
import { makeKafkaSource } from './make-kafka-source.js';
import { makeTransactions } from './make-transactions.js';
import { Settlement } from './settlement.js';
import { StageRuntime } from './stage-runtime.js';

/** What all stages stand on, made once (global). */
@Module({})
export class PipelinePortsModule {
  static forRoot(definition: AnyPipelineDefinition): DynamicModule {
    return {
      module: PipelinePortsModule,
      global: true,
      providers: [
        Destinations,
        InFlight,
        Intake,
        { provide: PIPELINE_DEFINITION, useValue: definition },
        {
          provide: StageRuntime,
          inject: [BackPressureController, Destinations],
          useFactory: (controller: BackPressureController, destinations: Destinations) =>
            new StageRuntime(controller, new SystemClock(), Math.random, destinations),
        },
        {
          provide: KafkaSource,
          inject: [APP_OPTIONS, StageRuntime, Transactions],
          useFactory: makeKafkaSource,
        },
        {
          provide: Transactions,
          inject: [APP_OPTIONS, StageRuntime, PIPELINE_DEFINITION],
          useFactory: makeTransactions,
        },
        {
          provide: Settlement,
          inject: [Acknowledgments, InFlight, DeadLetterStore, ASYNC_EGRESS_OPTIONS],
          useFactory: settlementOf,
        },
      ],
      exports: [
        Destinations,
        InFlight,
        Intake,
        PIPELINE_DEFINITION,
        StageRuntime,
        KafkaSource,
        Transactions,
        Settlement,
      ],
    };
  }
}

function settlementOf(
  acknowledgments: Acknowledgments,
  inFlight: InFlight,
  deadLetters: DeadLetterStore,
  options: AsyncEgressOptions,
): Settlement {
  const room = {
    isEnabled: options.enableDeadLetterQueue,
    get free() {
      return deadLetters.free;
    },
  };
  return new Settlement(acknowledgments, inFlight, room, new SystemClock());
}
