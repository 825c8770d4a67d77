import { BackPressureController } from '../../libs/back-pressure/src/index.js';
import { Database } from '../../src/database/database.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { until } from '../support/until.js';

describe('a pool without a free connection', () => {
  let service: TestApplication;
  beforeAll(async () => {
    service = await startApplication({ DATABASE_POOL_SIZE: '2' });
  });
  afterAll(() => service.close());

  it('is network pressure, and DATABASE_POOL_SIZE says when there is none left', async () => {
    const controller = service.app.get(BackPressureController);
    const { dataSource, poolWait } = service.app.get(Database);
    const network = (): number => {
      controller.evaluate();
      return controller.getPipelineStatus().process.network;
    };
    const runners = [dataSource.createQueryRunner(), dataSource.createQueryRunner()];
    for (const runner of runners) await runner.connect();
    const waiting = dataSource.query<{ one: number }[]>('SELECT 1 AS one');
    await until(() => network() > 0, { what: 'the wait is seen' });
    expect(poolWait.p90Ms).toBeGreaterThan(10);
    for (const runner of runners) await runner.release();
    expect(await waiting).toEqual([{ one: 1 }]);
  });
});
