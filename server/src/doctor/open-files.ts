import { fail, ok, warn, type Finding } from './finding.ts';

/** Beside sockets: the program's own files, the log, the listener. */
const ownFiles = 100;

/** Below it, a server that is reachable from anywhere is easily full. */
const leastFiles = 1_024;

/**
 * Whether the system lets the server open a file for each connection. `limit` undefined is none; `connectionsOfWorker`
 * are its clients' and its own to the databases.
 */
export function checkOpenFiles(limit: number | undefined, connectionsOfWorker: number): Finding {
  const subject = { check: 'open files', where: 'here' } as const;
  if (limit === undefined) return ok(subject, 'no limit');
  const needed = connectionsOfWorker + ownFiles;
  const found = `the system allows ${limit} for each process; all connections of a worker would need ${needed}`;
  if (limit < leastFiles)
    return fail(
      subject,
      found,
      'Raise it before the start: `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit.',
    );
  if (limit >= needed) return ok(subject, found);
  const advice = `Raise it (\`ulimit -n ${needed}\`, LimitNOFILE=${needed}), or lower MAX_CONNECTIONS so that clients are refused in good order.`;
  return warn(subject, found, advice);
}
