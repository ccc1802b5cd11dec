import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const path = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find((one) => existsSync(one));

/** Why tests with Prometheus' own tool cannot run, for `skip`; false when they can. */
export const noPromtool = path === undefined && 'no promtool: scripts/install-promtool.sh installs it, as root';

/** Fails with promtool's output, unless it succeeds. */
export function promtool(cwd: string, ...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(path ?? '', args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
}

/** Fails when promtool reports anything about the text of `/metrics`. */
export function assertCleanMetrics(text: string): void {
  const { status, stdout, stderr } = spawnSync(path ?? '', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
}
