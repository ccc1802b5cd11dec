import { spawn } from 'node:child_process';

import { spawnOptions } from './spawn-options.ts';

/**
 * Waits for the end of its input, which comes when our process dies in any way. Then requests a fast shutdown of the
 * postmaster, and after 10 s an immediate one. The pid may belong to another process by then, so the postmaster's own
 * file must still name it.
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
 * Starts a small process that outlives ours until the postmaster `pid` of `dir` has stopped. Call the returned function
 * when the postmaster has ended. It runs in its own session, so Ctrl-C does not reach it.
 */
export function startGuardian(pid: number, dir: string): () => void {
  const guardian = spawn('/bin/sh', ['-c', script, 'messenger-guardian', String(pid), dir], {
    ...spawnOptions,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a guardian, kill -9 leaves orphans, which the next start ends.
  guardian.on('error', () => {});
  guardian.stdin.on('error', () => {});
  return () => {
    guardian.kill('SIGKILL');
  };
}
