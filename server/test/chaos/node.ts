import type { Endpoint } from '../../src/db/endpoint.ts';
import { run, type Run } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';

const startMs = 60_000;

/** Starts another server with two workers on the databases of a system. Resolves when it serves. */
export async function startNode(
  write: Endpoint,
  reads: readonly Endpoint[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const args = ['start', '--port', '0', '--workers', '2'];
  const server = await run({ args, env: { ...environmentOf(write, reads), ...env } });
  try {
    await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
    if (server.hasEnded) throw new Error(`the server ended with the output:\n${server.stderr}`);
    return server;
  } catch (error) {
    await endNode(server);
    throw error;
  }
}

export async function endNode(server: Run): Promise<void> {
  if (!server.hasEnded) server.kill('SIGTERM');
  await server.ended();
}

function environmentOf(write: Endpoint, reads: readonly Endpoint[]): Readonly<Record<string, string>> {
  const listOf = (key: 'host' | 'port'): string => reads.map((one) => one[key]).join(',');
  const common = (role: 'WRITE' | 'READ'): Readonly<Record<string, string>> => ({
    [`DB_${role}_USER`]: write.user,
    [`DB_${role}_NAME`]: write.database,
    [`DB_${role}_MAX_OPEN_CONNS`]: '20',
    [`DB_${role}_MAX_IDLE_CONNS`]: '10',
  });
  return {
    ...common('WRITE'),
    ...common('READ'),
    DB_WRITE_HOST: write.host,
    DB_WRITE_PORT: String(write.port),
    DB_READ_HOST: listOf('host'),
    DB_READ_PORT: listOf('port'),
  };
}
