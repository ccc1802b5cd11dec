import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm has read the same file.
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** Commands of a page that cannot be run: `npm run` of no script, `node` of no file. */
function missingCommands(page: string): string[] {
  const runs = [...page.matchAll(/\bnpm run (?<name>[\w:]+)/gu)].map(({ groups }) => groups?.['name'] ?? '');
  const files = [...page.matchAll(/\bnode (?<path>[\w./-]+\.m?[jt]s)\b/gu)].map(({ groups }) => groups?.['path'] ?? '');
  return [...runs.filter((name) => !(name in scripts)), ...files.filter((path) => !existsSync(join(root, path)))];
}

test('every command that a page tells to run is there', () => {
  for (const page of ['docs/performance.md', 'docs/operations.md', 'README.md', 'CONTRIBUTING.md'])
    assert.deepEqual(missingCommands(read(page)), [], page);
  assert.deepEqual(
    missingCommands('`npm run bench:tunings`, `node server/bench/htp-cost.ts --rounds 3`, `npm run types`'),
    ['bench:tunings', 'server/bench/htp-cost.ts'],
  );
});
