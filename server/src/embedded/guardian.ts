import { spawn } from 'node:child_process';

import { spawnOptions } from './spawn-options.ts';

/**
 * Waits for the end of its input, which comes when we die, however we die. Then asks the postmaster for a fast
 * shutdown, and if that takes longer than 10 s, for an immediate one; by then the pid may be another's, so the
 * postmaster's own file has to name it still.
 */
const script = `
read -r _
kill -INT "$1" || exit 0
lives() { read -r first < "$2/postmaster.pid" && [ "$first" = "$1" ] && kill -0 "$1"; }
n=0
while lives "$@" && [ $n -lt 10 ]; do sleep 1; n=$((n + 1)); done
lives "$@" && kill -QUIT "$1"
`;

/**
 * Starts a small process that outlives us just long enough to stop the postmaster `pid` of `dir`. Call the returned
 * function when the postmaster has ended. It runs in a session of its own, so that Ctrl-C does
 * not reach it.
 */
export function startGuardian(pid: number, dir: string): () => void {
  const guardian = spawn('/bin/sh', ['-c', script, 'messenger-guardian', String(pid), dir], {
    ...spawnOptions,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a guardian a kill -9 leaves orphans, which the next start ends.
  guardian.on('error', () => {});
  guardian.stdin.on('error', () => {});
  return () => {
    guardian.kill('SIGKILL');
  };
}
