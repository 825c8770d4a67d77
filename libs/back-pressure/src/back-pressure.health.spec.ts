import { Test } from '@nestjs/testing';
import { backPressureOptions } from '../../../test/support/back-pressure.js';
import { BackPressureController } from './back-pressure-controller.js';
import { BackPressureHealthIndicator } from './back-pressure.health.js';
import { BackPressureModule } from './back-pressure.module.js';

describe('BackPressureHealthIndicator', () => {
  it.each([
    [0, 'up', 'HEALTHY'],
    [0.3, 'up', 'MODERATE PRESSURE'],
    [0.6, 'up', 'HIGH PRESSURE'],
    [0.8, 'degraded', 'CRITICAL PRESSURE'],
    [1, 'degraded', 'CRITICAL PRESSURE'],
  ])('reads pressure %d as %s, %s: never down', async (pressure, status, level) => {
    const testing = await Test.createTestingModule({
      imports: [BackPressureModule.forRoot(backPressureOptions())],
    }).compile();
    const controller = testing.get(BackPressureController);
    controller.setProcessInput('network', 'test', () => pressure);
    controller.evaluate();
    const { pipeline } = testing.get(BackPressureHealthIndicator).check('pipeline');
    expect(pipeline).toMatchObject({ status, level, pressure });
    expect(pipeline).toHaveProperty('stages.4', expect.objectContaining({ level: 'HEALTHY' }));
    await testing.close();
  });
});
