import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';

import { pino } from 'pino';

import { monotonicClock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { EmbeddedOptions } from './open-data.ts';
import { EmbeddedPair } from './pair.ts';
import { withSession } from './sql.ts';
import { copyPreparedData } from './test-data.ts';
import { makeTestFolder } from './test-folder.ts';
import { poll } from './wait.ts';

const run = promisify(execFile);

/** Small and without fsync, for speed; the rest is as in production. */
const forTests = { shared_buffers: '16MB', fsync: 'off' };

/** A data folder for one test file, and its log. */
export interface TestSite {
  readonly options: EmbeddedOptions;
  readonly lines: readonly string[];
  /** A pair on the folder, not started. */
  pair(changes?: Partial<EmbeddedOptions>): EmbeddedPair;
  remove(): Promise<void>;
}

function recordTo(lines: string[]): Log {
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  return pino({ level: 'debug' }, sink);
}

/** `new`: the first start makes the databases, with a system identifier of their own. */
export async function makeTestSite(databases: 'prepared' | 'new' = 'prepared'): Promise<TestSite> {
  const folder = await makeTestFolder();
  const lines: string[] = [];
  const options = {
    dataDir: join(folder, 'data'),
    synchronousCommit: 'on',
    tuning: 'on',
    overrides: { primary: forTests, standby: forTests },
    log: recordTo(lines),
    clock: monotonicClock,
  } as const;
  const pair = (changes: Partial<EmbeddedOptions> = {}): EmbeddedPair => new EmbeddedPair({ ...options, ...changes });
  const make = async (dataDir: string): Promise<void> => {
    const first = pair({ dataDir });
    await first.start(soon());
    await first.stop(soon());
  };
  if (databases === 'prepared') await copyPreparedData('pair', options.dataDir, make);
  return {
    options,
    lines,
    pair,
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}

/** Enough for a busy machine; a test that exceeds it has failed. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

/** Waits until `isTrue` returns true; an error counts as false. */
export async function eventually(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  const answer = async (): Promise<true | undefined> => {
    try {
      return (await isTrue()) ? true : undefined;
    } catch {
      return undefined;
    }
  };
  await poll(answer, { everyMs: 30, signal: soon() });
}

/** The first column of the rows of a statement, on the primary or the standby. */
export async function ask(pair: EmbeddedPair, role: 'write' | 'read', statement: string): Promise<unknown[]> {
  return withSession(pair.endpoints[role], async (client) => {
    const { rows } = await client.query<unknown[]>({ text: statement, rowMode: 'array' });
    return rows.map((row) => row[0]);
  });
}

/** Resolves when the standby has replayed the latest writes of the primary. */
export async function replicates(pair: EmbeddedPair, table: string): Promise<void> {
  const written = await ask(pair, 'write', `insert into ${table} values (default) returning id`);
  await eventually(async () => (await ask(pair, 'read', `select id from ${table}`)).includes(written[0]));
}

/** A property of a process, as ps calls it; undefined when there is no such process. */
export async function processFact(pid: number, keyword: 'stat' | 'pgid'): Promise<string | undefined> {
  return run('ps', ['-o', `${keyword}=`, '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

/** Whether a process runs; an ended one that was not reaped yet (a zombie) does not. */
export async function isAlive(pid: number): Promise<boolean> {
  const state = await processFact(pid, 'stat');
  return state !== undefined && !state.startsWith('Z');
}
