import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { makeTestFolder } from './test-folder.ts';

test('files that PostgreSQL cannot create cause a refusal with the reason, not a defect', async (t) => {
  const folder = await makeTestFolder();
  t.after(async () => rm(folder, { recursive: true }));
  const code = `
    import { findBinaries } from '${import.meta.resolve('./binaries.ts')}';
    import { initCluster } from '${import.meta.resolve('./cluster-files.ts')}';
    const made = initCluster(await findBinaries(undefined), '${join(folder, 'data')}', AbortSignal.timeout(20_000));
    await made.catch(({ name, message }) => console.log(name + ': ' + message));`;
  const { promise, resolve } = Promise.withResolvers<string>();
  const shell = ['-c', 'ulimit -n 60 && exec "$0" --input-type=module -e "$1"', process.execPath, code];
  execFile('/bin/sh', shell, (_error, out) => resolve(out));
  const refusal =
    /^OperatorError: PostgreSQL cannot create its files: FATAL: {2}insufficient file descriptors [^\n]*\n$/u;
  assert.match(await promise, refusal);
});
