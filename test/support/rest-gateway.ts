import { connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Global, Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  BackPressureController,
  BackPressureModule,
  type StageSpec,
} from '../../libs/back-pressure/src/index.js';
import type { Lot } from '../../libs/flow-control/src/index.js';
import { KafkaBooks, KafkaSource } from '../../libs/kafka/src/index.js';
import {
  BOUNDS_OPTIONS,
  type BoundsOptions,
  boundsOptions,
} from '../../src/config/bounds.options.js';
import {
  SERVICE_OPTIONS,
  type ServiceOptions,
  serviceOptions,
} from '../../src/config/service.options.js';
import { configureHttp, registerHooks } from '../../src/gateway/gateway.http.js';
import { GatewayLimits } from '../../src/gateway/gateway.limits.js';
import { GatewayModule } from '../../src/gateway/gateway.module.js';
import {
  GATEWAY_OPTIONS,
  type GatewayOptions,
  gatewayOptions,
} from '../../src/gateway/gateway.options.js';
import { GatewayStage } from '../../src/gateway/gateway.stage.js';
import { Journal } from '../../src/ledger/journal.port.js';
import { RecordLookup, type RecordStatus } from '../../src/ledger/lookup.port.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../../src/pipeline/definition.js';
import { InFlight } from '../../src/pipeline/in-flight.js';
import { Intake } from '../../src/pipeline/intake.js';
import { bytesOf } from '../../src/pipeline/pass-on.js';
import type { PipelineRecord, Verdict } from '../../src/pipeline/record.js';
import { Settlement } from '../../src/pipeline/settlement.js';
import type { Slice, Stage } from '../../src/pipeline/stage.js';
import { StageRuntime } from '../../src/pipeline/stage-runtime.js';
import { apiDocumentOf, watchApplication } from './answer-watch.js';
import { backPressureOptions, stagesWith } from './back-pressure.js';
import { FakeClock } from './fake-clock.js';

const ACCEPTED: Verdict = { kind: 'accepted' };

/** Stands for everything behind the Gateway: gives verdicts, and ends records when told. */
export class FakeRest implements Stage {
  readonly id = 'KeyGen';
  /** In the order in which they came. */
  readonly taken: PipelineRecord[] = [];
  readonly accepted: PipelineRecord[] = [];
  readonly slices: number[] = [];
  verdictFor: (record: PipelineRecord) => Verdict = () => ACCEPTED;
  /** Awaited before the verdicts of a slice: the journal. */
  gate: Promise<void> = Promise.resolve();
  /** Whether records reach their end as soon as they are accepted. */
  endsAtOnce = true;

  constructor(private readonly inFlight: InFlight) {}

  connect(): void {}
  start(): void {}
  drain(): void {}
  stop(): void {}

  async take({ records }: Slice, lot: Lot): Promise<void> {
    this.slices.push(records.length);
    this.taken.push(...records);
    await this.gate;
    for (const record of records) {
      record.stage = 'IngressProcessing';
      record.verdict = this.verdictFor(record);
      if (record.verdict.kind !== 'accepted') continue;
      record.acceptedAtMs = 1_767_225_600_000;
      this.accepted.push(record);
      this.inFlight.add([record]);
    }
    lot.release(records.length, bytesOf(records));
    if (this.endsAtOnce) this.end(records.filter(({ verdict }) => verdict?.kind === 'accepted'));
  }

  end(records: readonly PipelineRecord[]): void {
    for (const record of records) record.terminal = { status: 'acknowledged' };
    this.inFlight.settle(records);
    for (const record of records) {
      record.origin.settled([record]);
      record.credit.release(1, record.sizeBytes);
    }
  }
}

export interface RestGateway {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly port: number;
  readonly rest: FakeRest;
  readonly clock: FakeClock;
  readonly controller: BackPressureController;
  readonly limits: GatewayLimits;
  readonly gateway: GatewayStage;
  readonly intake: Intake;
  readonly inFlight: InFlight;
  readonly journal: { isFull: boolean };
  readonly books: Map<string, RecordStatus>;
  readonly close: () => Promise<void>;
}

export interface RestGatewayOptions {
  readonly gateway?: Partial<GatewayOptions>;
  readonly bounds?: Partial<BoundsOptions>;
  readonly stages?: Readonly<Record<string, Partial<StageSpec>>>;
  readonly definition?: AnyPipelineDefinition;
  readonly service?: Partial<ServiceOptions>;
}

/** A Nest application with the Gateway on a real socket, and a fake pipeline behind it. */
export async function startRestGateway(options: RestGatewayOptions = {}): Promise<RestGateway> {
  const clock = new FakeClock();
  const gatewayValues = {
    ...gatewayOptions.schema.parse({ maxRequestsPerSecond: 0 }),
    ...options.gateway,
  };
  const boundsValues = { ...boundsOptions.schema.parse({}), ...options.bounds };
  const journal = { isFull: false };
  const books = new Map<string, RecordStatus>();
  const stages = stagesWith({ Gateway: { capacity: gatewayValues.bufferSize }, ...options.stages });
  const pressure = backPressureOptions({
    clock,
    stages,
    admission: { queueCapacity: gatewayValues.maxQueueSize },
  });

  @Global()
  @Module({
    providers: [
      InFlight,
      Intake,
      {
        provide: StageRuntime,
        inject: [BackPressureController],
        useFactory: (controller: BackPressureController) =>
          new StageRuntime(controller, clock, () => 0),
      },
      { provide: Journal, useValue: journal },
      // Kafka brings no records here.
      { provide: KafkaSource, useValue: undefined },
      { provide: KafkaBooks, useValue: {} },
      { provide: Settlement, useValue: {} },
      {
        provide: RecordLookup,
        useValue: {
          find: async (id: string) => books.get(id),
          findAll: async (ids: readonly string[]) =>
            new Map(ids.flatMap((id) => (books.has(id) ? [[id, books.get(id)!]] : []))),
        },
      },
      { provide: PIPELINE_DEFINITION, useValue: options.definition ?? { name: 'test' } },
      {
        provide: SERVICE_OPTIONS,
        useValue: { ...serviceOptions.schema.parse({}), ...options.service },
      },
      { provide: GATEWAY_OPTIONS, useValue: gatewayValues },
      { provide: BOUNDS_OPTIONS, useValue: boundsValues },
    ],
    exports: [
      InFlight,
      Intake,
      StageRuntime,
      Journal,
      KafkaSource,
      KafkaBooks,
      Settlement,
      RecordLookup,
      PIPELINE_DEFINITION,
      SERVICE_OPTIONS,
      GATEWAY_OPTIONS,
      BOUNDS_OPTIONS,
    ],
  })
  class PortsModule {}

  const module = await Test.createTestingModule({
    imports: [BackPressureModule.forRoot(pressure), PortsModule, GatewayModule],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(
    new FastifyAdapter(configureHttp()),
    { bodyParser: false, logger: false },
  );
  registerHooks(app);
  watchApplication(app, () => apiDocumentOf(app));
  await app.listen(0, '127.0.0.1');

  const inFlight = app.get(InFlight);
  const rest = new FakeRest(inFlight);
  const gateway = app.get(GatewayStage);
  const intake = app.get(Intake);
  gateway.connect(rest);
  gateway.start();
  intake.open('starting');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    url: `http://127.0.0.1:${port}`,
    port,
    rest,
    clock,
    controller: app.get(BackPressureController),
    limits: app.get(GatewayLimits),
    gateway,
    intake,
    inFlight,
    journal,
    books,
    close: async () => {
      app.getHttpServer().closeAllConnections();
      await app.close();
    },
  };
}

/** A connection on which a test writes bytes by hand. */
export class RawConnection {
  private received = '';
  private isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    // A reset is one way for a connection to end; the test looks at what came.
    socket.on('error', () => undefined);
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve);
    });
    return new RawConnection(socket);
  }

  get text(): string {
    return this.received;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Of the answer, when all of it is there. */
  get body(): Record<string, unknown> | undefined {
    const at = this.received.indexOf('\r\n\r\n');
    if (at === -1) return undefined;
    try {
      return JSON.parse(this.received.slice(at + 4)) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Credits and permits that nobody has given back. */
export function outstanding({ controller }: RestGateway): Record<string, number> {
  return {
    gateway: controller.credits('Gateway').outstanding,
    keygen: controller.credits('KeyGen').outstanding,
    pipeline: controller.credits('pipeline').outstanding,
    permits: controller.semaphore('gateway').inUse,
  };
}

export const NOTHING_OUTSTANDING = { gateway: 0, keygen: 0, pipeline: 0, permits: 0 };
