/** What the parent asks a server child. */
export interface ServerQuestion {
  readonly kind: 'listen';
  /** Inserts each request before it is answered. Absent: no database. */
  readonly databaseUrl?: string;
}

export interface ServerAnswer {
  readonly url: string;
}
