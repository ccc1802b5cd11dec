import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import type { Endpoint } from '../src/db/endpoint.ts';
import { settledUsers } from './calls.ts';

const execute = promisify(execFile);

/** The statements of user-reader.ts and user-writer.ts. The md5 makes the id of a random user. */
export const pgbenchScripts = {
  get: `\\set n random(1, ${settledUsers})
select id, first_name, last_name, created_at, updated_at from users where id = md5('settled ' || :n)::uuid;`,
  list: `select id, first_name, last_name, created_at, updated_at
  from users order by created_at desc, id desc limit 20 offset 0;`,
  post: `\\set n random(1, 1000000000)
insert into users (first_name, last_name) values ('A' || :n, 'Z' || :n)
  returning id, first_name, last_name, created_at, updated_at;`,
} as const;

/** The program's path, or undefined where it is not installed. */
export function findPgbench(path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, 'pgbench'))
    .find((file) => existsSync(file));
}

/** Transactions per second: 8 clients, prepared statements, no vacuum first. */
export async function runPgbench(
  program: string,
  script: string,
  { host, port, user, database }: Endpoint,
  seconds: number,
  signal: AbortSignal,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-pgbench-'));
  try {
    const file = join(folder, 'script.sql');
    await writeFile(file, script.replaceAll('\n  ', ' '));
    const load = ['-n', '-M', 'prepared', '-c', '8', '-T', String(seconds), '-f', file];
    const { stdout } = await execute(program, [...load, '-h', host, '-p', String(port), '-U', user, database], {
      signal,
    });
    return readTps(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Throws when the output has none, or when transactions failed. */
export function readTps(output: string): number {
  const tps = /^tps = ([\d.]+)/mu.exec(output)?.[1];
  if (tps === undefined || !/^number of failed transactions: 0 /mu.test(output))
    throw new Error(`pgbench said:\n${output}`);
  return Number(tps);
}
