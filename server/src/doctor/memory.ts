import { showMemorySize } from '../tuning/memory-size.ts';
import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { ok, warn } from './finding.ts';

/** The memory of a session without sorts, and the factor for hashes, as in tuning/memory.ts. */
const memorySql = `
  select pg_size_bytes(current_setting('shared_buffers'))::float8 as buffers,
         current_setting('max_connections')::float8 * (2 * 2 ^ 20 + 2 * pg_size_bytes(current_setting('work_mem'))) as sessions,
         current_setting('max_connections') as connections, current_setting('work_mem') as "workMem"`;

interface Memory {
  readonly buffers: number;
  readonly sessions: number;
  readonly connections: string;
  readonly workMem: string;
}

/** Checks that the machine has the memory that all sessions together may use. Skipped when the memory is only estimated. */
export const checkMemory: ServerCheck = async (server, { machineOf, isEmbedded }) => {
  const { where, endpoint } = server;
  const subject = { check: 'memory', where } as const;
  const { memoryBytes, isGuess = false } = machineOf(endpoint);
  if (memoryBytes === undefined || isGuess || isEmbedded) return [ok(subject, 'compared with --memory')];
  const row = await askOne<Memory>(server, memorySql);
  const most = showMemorySize(row.buffers + row.sessions);
  const found = `up to ${most} of ${showMemorySize(memoryBytes)}: ${row.connections} connections, work_mem ${row.workMem}`;
  if (row.buffers + row.sessions <= memoryBytes) return [ok(subject, found)];
  const advice =
    'With all sessions active, the system may kill PostgreSQL (OOM killer). `messenger tune` prints sizes that fit.';
  return [warn(subject, found, advice)];
};
