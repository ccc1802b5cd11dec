/** The checks of package.json. Each has its own script, such as `npm run lint`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const cwd = join(import.meta.dirname, '..');

for (const check of ['format:check', 'lint', 'types', 'unused'])
  test(check, async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    execFile('npm', ['run', '--silent', check], { cwd }, (error, stdout, stderr) =>
      resolve(error === null ? undefined : `${stdout}${stderr}`),
    );
    assert.equal(await promise, undefined);
  });
