import { fail, ok, warn, type Finding } from './finding.ts';

/** Descriptors that are not connections: files of the program, the log, the listeners. */
const ownFiles = 300;

/** With fewer, a public server is easily full. */
const leastFiles = 1_024;

export interface WantedFiles {
  /** Connections of one worker to the databases. */
  readonly pools: number;
  /** Client connections of one worker; undefined when MAX_CONNECTIONS has its default. */
  readonly clients: number | undefined;
}

/** Checks that a worker may open a descriptor for each connection. An undefined `limit` is no limit. */
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
  const advice = `MAX_CONNECTIONS is ${clients}. Raise the limit (\`ulimit -n ${needed}\`, LimitNOFILE=${needed}), or lower MAX_CONNECTIONS.`;
  return warn(subject, found, advice);
}
