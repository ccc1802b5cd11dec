import { spawn, type ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import type { Writable } from 'node:stream';

/**
 * Each line of input lists the running children. At the end of input, resumes what a test has frozen below them, so
 * that it notices the end of its parent, and kills them.
 */
const script = `
while read -r line; do children=$line; done
resume() { for pid in $(pgrep -P "$1"); do kill -CONT "$pid"; resume "$pid"; done; }
for child in $children; do resume "$child"; kill -KILL "$child"; done
`;

/**
 * Call it before the first child starts. Kills the children of this process when it ends in any way. Spares children
 * whose stdin is our pipe: they see the end of their input, and may have to clean up.
 */
export function endChildrenWithUs(): void {
  const children = new Set<number>();
  let guardian: Writable | undefined;
  const tell = (): void => {
    guardian ??= startGuardian();
    guardian.write(`${[...children].join(' ')}\n`);
  };
  subscribe('child_process', (message) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As documented by Node.
    const { process: child } = message as { process: ChildProcess };
    child.once('spawn', () => {
      if (child.stdin !== null || child.pid === undefined) return;
      const { pid } = child;
      children.add(pid);
      tell();
      child.once('exit', () => {
        children.delete(pid);
        tell();
      });
    });
  });
}

/**
 * In its own session, so that Ctrl-C and a kill of our process group do not reach it. Does not keep the process alive.
 */
function startGuardian(): Writable {
  const child = spawn('/bin/sh', ['-c', script, 'end-children'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => {}).unref();
  return child.stdin.on('error', () => {});
}
