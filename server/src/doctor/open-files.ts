import { fail, ok, warn, type Finding } from './finding.ts';

/** Beside sockets: the program's own files, the log, the listeners. */
const ownFiles = 300;

/** Below it, a server that is reachable from anywhere is easily full. */
const leastFiles = 1_024;

export interface WantedFiles {
  /** Connections of one worker to the databases. */
  readonly pools: number;
  /** Client connections of one worker that the operator asked for; undefined when MAX_CONNECTIONS is only the default. */
  readonly clients: number | undefined;
}

/** Whether the system lets a worker open a file for each connection. `limit` undefined is none. */
export function checkOpenFiles(limit: number | undefined, { pools, clients }: WantedFiles): Finding {
  const subject = { check: 'open files', where: 'here' } as const;
  if (limit === undefined) return ok(subject, 'no limit');
  const room = Math.max(0, limit - pools - ownFiles);
  const found = `the system allows ${limit} for each process: about ${room} client connections for each worker`;
  if (limit < leastFiles)
    return fail(
      subject,
      found,
      'Raise it before the start: `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit.',
    );
  if (clients === undefined || clients <= room) return ok(subject, found);
  const needed = clients + pools + ownFiles;
  const advice = `MAX_CONNECTIONS asks for ${clients}. Raise the limit (\`ulimit -n ${needed}\`, LimitNOFILE=${needed}), or lower MAX_CONNECTIONS.`;
  return warn(subject, found, advice);
}
