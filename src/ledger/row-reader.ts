/** Reads rows through the pool: for what isn't hot (TypeORM's DataSource is one). */
export interface RowReader {
  query<Rows>(text: string, values?: unknown[]): Promise<Rows>;
}
