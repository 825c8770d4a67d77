import { Client } from 'pg';

/** A database of its own for one run, on the bench's server: no run finds the rows of another. */
export interface RunDatabase {
  readonly url: string;
  /** The one number that the statement answers; NaN while its table isn't there. */
  number(statement: string): Promise<number>;
  drop(): Promise<void>;
}

const UNDEFINED_TABLE = '42P01';

export async function createRunDatabase(serverUrl: string, name: string): Promise<RunDatabase> {
  const server = await connect(serverUrl);
  await server.query(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const client = await connect(url.href);
  return {
    url: url.href,
    async number(statement) {
      try {
        const { rows } = await client.query<{ number: string }>(statement);
        return Number(rows[0]?.number);
      } catch (error) {
        if ((error as { code?: string }).code === UNDEFINED_TABLE) return Number.NaN;
        throw error;
      }
    },
    async drop() {
      await client.end();
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await server.end();
    },
  };
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}
