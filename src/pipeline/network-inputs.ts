import { Injectable } from '@nestjs/common';
import { BackPressureController, scale } from '#libs/back-pressure';
import { Database } from '../database/database.js';

/** Waits for a connection of the database pool: no pressure up to the first, full pressure from the second on. */
const POOL_WAIT_MS = [10, 1000] as const;

/** Makes what the process waits for outside its stages part of the network pressure. */
@Injectable()
export class NetworkInputs {
  constructor(controller: BackPressureController, database: Database) {
    controller.setProcessInput('network', 'database pool', () =>
      scale(database.poolWait.p90Ms, ...POOL_WAIT_MS),
    );
  }
}
