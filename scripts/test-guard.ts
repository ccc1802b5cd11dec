/**
 * Loaded into the process of every test file (`--import`). A process that does not end after its tests has a leak: a
 * timer, a socket, a child. node:test would wait for ever, and its --test-force-exit would hide the leak; this reports
 * it and fails the file. The process ends with the run, and its children with it.
 */
import { AsyncResource } from 'node:async_hooks';
import { fstatSync } from 'node:fs';
import { after } from 'node:test';

import { endChildrenWithUs } from './end-children.ts';

/** Time for what still closes after the last hook: a socket's FIN, a child's exit. */
const graceMs = 3_000;

/** stdin, stdout and stderr, when they are pipes. */
const ownResources = new Set(['PipeWrap', 'TTYWrap']);

function failIfStillAlive(): void {
  const timer = setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter((name) => !ownResources.has(name));
    process.stderr.write(`Leaked: after the tests, these keep the process alive: ${left.join(', ')}\n`);
    process.exit(1);
  }, graceMs);
  timer.unref(); // Keeps nothing alive: it fires only if something else does.
}

// Hooks run in the order of registration. This one registers the real one, in the context of the whole file, after the
// file has registered its own: so a slow clean-up does not count as a leak.
const registerLast = AsyncResource.bind(() => after(failIfStillAlive));
after(() => registerLast());

endChildrenWithUs();
// node:test holds the other end of our stdin, and never writes: the end of input is the end of the run. Forks with
// stdin from /dev/null load this file, too.
if (fstatSync(0).isSocket()) {
  process.stdin.once('end', () => process.kill(process.pid, 'SIGKILL')).resume();
  process.stdin.unref();
}
