/**
 * Loaded into the process of every test file (`--import`). A process that has run its tests and does not end has
 * leaked something: a timer, a socket, a child. node:test would wait for it for ever, and its --test-force-exit would
 * hide it; we say what it is and fail the file. The process ends when the run ends, and its children end when it ends.
 */
import { AsyncResource } from 'node:async_hooks';
import { fstatSync } from 'node:fs';
import { after } from 'node:test';

import { endChildrenWithUs } from './end-children.ts';

/** What may still be closing when the last hook has run: a socket's FIN, a child's exit. */
const graceMs = 3_000;

/** stdin, stdout and stderr, when they are pipes. */
const ownResources = new Set(['PipeWrap', 'TTYWrap']);

function failIfStillAlive(): void {
  const timer = setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter((name) => !ownResources.has(name));
    process.stderr.write(`Leaked: the tests are over, and the process lives on because of: ${left.join(', ')}\n`);
    process.exit(1);
  }, graceMs);
  timer.unref(); // Alone, it keeps nothing alive: it only ever fires when something else does.
}

// Hooks run in the order of their registration. This one registers the real one, in the context of the whole file,
// when the file has registered all of its own: so a slow clean-up is not taken for a leak.
const registerLast = AsyncResource.bind(() => after(failIfStillAlive));
after(() => registerLast());

endChildrenWithUs();
// node:test holds the other end of our stdin, and never writes: the end of input is the end of the run. Forks whose stdin is
// /dev/null load this file, too.
if (fstatSync(0).isSocket()) {
  process.stdin.once('end', () => process.kill(process.pid, 'SIGKILL')).resume();
  process.stdin.unref();
}
