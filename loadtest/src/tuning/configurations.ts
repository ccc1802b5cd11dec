/** Options of the server, by the names of their variables. */
export type ServerOptions = Readonly<Record<string, string>>;

export interface Configuration {
  readonly name: string;
  readonly options: ServerOptions;
}

/** An optimisation of the guide's ranked list, and the options that disable it. */
export interface Optimisation {
  readonly name: string;
  /** The guide's claim. */
  readonly claim: string;
  readonly without: ServerOptions;
}

const smallPool: ServerOptions = {
  DB_WRITE_MAX_OPEN_CONNS: '25',
  DB_WRITE_MAX_IDLE_CONNS: '10',
  DB_WRITE_CONN_MAX_LIFETIME: '5',
  DB_READ_MAX_OPEN_CONNS: '25',
  DB_READ_MAX_IDLE_CONNS: '10',
  DB_READ_CONN_MAX_LIFETIME: '5',
  DB_CONN_MAX_IDLE_TIME: '1',
};

/** One hour each: no time-out fires during a run. */
const noTimeouts: ServerOptions = {
  DB_WRITE_TIMEOUT_MS: '3600000',
  DB_READ_TIMEOUT_MS: '3600000',
  REQUEST_TIMEOUT_MS: '3600000',
};

/** The guide's initial settings (its appendix). */
export const before: Configuration = {
  name: 'Before',
  options: {
    ...smallPool,
    ...noTimeouts,
    DB_PREPARED_STATEMENTS: 'off',
    DB_IMPLICIT_TRANSACTIONS: 'on',
    DB_BATCHING: 'off',
    MESSENGER_PG_TUNING: 'off',
    MESSENGER_SYNCHRONOUS_COMMIT: 'on',
    ENABLE_PREFORK: 'false',
  },
};

/** The guide's final settings (its appendix). */
export const after: Configuration = {
  name: 'After',
  options: {
    DB_WRITE_MAX_OPEN_CONNS: '100',
    DB_WRITE_MAX_IDLE_CONNS: '50',
    DB_WRITE_CONN_MAX_LIFETIME: '10',
    DB_READ_MAX_OPEN_CONNS: '100',
    DB_READ_MAX_IDLE_CONNS: '50',
    DB_READ_CONN_MAX_LIFETIME: '10',
    DB_CONN_MAX_IDLE_TIME: '5',
    DB_WRITE_TIMEOUT_MS: '5000',
    DB_READ_TIMEOUT_MS: '3000',
    REQUEST_TIMEOUT_MS: '10000',
    DB_PREPARED_STATEMENTS: 'on',
    DB_IMPLICIT_TRANSACTIONS: 'off',
    DB_BATCHING: 'off',
    MESSENGER_PG_TUNING: 'on',
    MESSENGER_SYNCHRONOUS_COMMIT: 'off',
    ENABLE_PREFORK: 'true',
    // max_connections = 500 has room for two workers with 100 connections per role.
    WORKERS: '2',
  },
};

/** The server without any option: durable, batched. */
export const messenger: Configuration = { name: 'Messenger', options: {} };

/** The guide's ranked list, in its order; query-pairs.ts measures its last entry, the queries. */
export const optimisations: readonly Optimisation[] = [
  { name: 'pool of 100/50', claim: '+300% connection capacity', without: smallPool },
  { name: 'synchronous_commit=off', claim: '2–10× writes', without: { MESSENGER_SYNCHRONOUS_COMMIT: 'on' } },
  { name: 'no implicit transactions', claim: '~30% faster', without: { DB_IMPLICIT_TRANSACTIONS: 'on' } },
  { name: 'prepared statements', claim: '~10–20% faster', without: { DB_PREPARED_STATEMENTS: 'off' } },
  { name: 'prefork', claim: 'linear with cores', without: { ENABLE_PREFORK: 'false' } },
  { name: 'time-outs', claim: 'prevents exhaustion', without: noTimeouts },
];

/** `After` without one of its optimisations. */
export function ablate({ name, without }: Optimisation): Configuration {
  return { name: `After without ${name}`, options: { ...after.options, ...without } };
}

export function flagsOf(options: ServerOptions): string[] {
  return Object.entries(options).flatMap(([variable, value]) => {
    const flag = variable
      .replace(/^MESSENGER_/u, '')
      .toLowerCase()
      .replaceAll('_', '-');
    return [`--${flag}`, value];
  });
}
