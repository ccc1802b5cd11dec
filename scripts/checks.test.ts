/** The checks of package.json. Each has its own script, such as `npm run lint`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const cwd = join(import.meta.dirname, '..');

/** The linter builds the program of `npm run types` anyway: it reports the errors of the compiler, too. */
for (const check of ['format:check', 'lint -- --type-check', 'unused'])
  test(check, { timeout: 170_000 }, async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    execFile('npm', ['run', '--silent', ...check.split(' ')], { cwd }, (error, stdout, stderr) =>
      resolve(error === null ? undefined : `${stdout}${stderr}`),
    );
    assert.equal(await promise, undefined);
  });
