import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { renderGeneratedFiles } from './docs.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm has validated the file.
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** Commands of a page that cannot run: `npm run` without the script, `node` without the file. */
function missingCommands(page: string): string[] {
  const runs = [...page.matchAll(/\bnpm run (?<name>[\w:]+)/gu)].map(({ groups }) => groups?.['name'] ?? '');
  const files = [...page.matchAll(/\bnode (?<path>[\w./-]+\.m?[jt]s)\b/gu)].map(({ groups }) => groups?.['path'] ?? '');
  return [...runs.filter((name) => !(name in scripts)), ...files.filter((path) => !existsSync(join(root, path)))];
}

test('generated files are up to date; `npm run docs` writes them', async () => {
  for (const [path, content] of Object.entries(await renderGeneratedFiles())) assert.equal(read(path), content, path);
});

test('every command on a page exists', () => {
  for (const page of ['docs/performance.md', 'docs/operations.md', 'README.md', 'CONTRIBUTING.md'])
    assert.deepEqual(missingCommands(read(page)), [], page);
  assert.deepEqual(
    missingCommands('`npm run bench:tunings`, `node server/bench/htp-cost.ts --rounds 3`, `npm run types`'),
    ['bench:tunings', 'server/bench/htp-cost.ts'],
  );
});

test('every test that the page about security names exists', () => {
  const named = [...read('docs/security.md').matchAll(/`([\w/-]+\/[\w.-]+\.test\.ts)`/gu)].map(([, path = '']) => path);
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, 'server/src', path))),
    [],
  );
});

/** The anchors of a page: of its headings, as GitHub makes them, and `<a id="…">`. */
function anchorsOf(page: string): ReadonlySet<string> {
  const titles = [...page.matchAll(/^#+ (?<title>.+)$/gmu)].map(({ groups }) => groups?.['title'] ?? '');
  const ids = [...page.matchAll(/<a id="(?<id>[^"]+)">/gu)].map(({ groups }) => groups?.['id'] ?? '');
  const ofTitles = titles.map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set([...ids, ...ofTitles]);
}

/** Link targets, relative to the page's folder, without the file or heading. */
function deadTargets(targets: readonly string[], folder: string, itself: string): readonly string[] {
  return targets.filter((target) => {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? itself : join(folder, path);
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchorsOf(read(file)).has(anchor);
  });
}

test('every link between pages has its file and heading', () => {
  const pages = globSync(['*.md', 'docs/**/*.md', 'deploy/*.md', 'loadtest/*.md'], { cwd: root });
  assert.ok(pages.length > 10);
  for (const page of pages) {
    const links = [...read(page).matchAll(/\]\((?!\w+:)(?<target>[^)\s]+)\)/gu)].map(
      ({ groups }) => groups?.['target'] ?? '',
    );
    assert.deepEqual(deadTargets(links, dirname(page), page), [], page);
  }
  assert.deepEqual(deadTargets(['no-such.md', 'README.md#no-such', '#no-such'], '.', 'README.md').length, 3);
});

test('every heading that a server message or a deploy file links to exists', () => {
  const files = globSync(['server/src/**/*.ts', 'deploy/**/*.{yml,yaml,ini,service}'], { cwd: root });
  const named = files.flatMap((file) => [...read(file).matchAll(/\bdocs\/\w+\.md#[\w-]+/gu)].map(([target]) => target));
  assert.ok(named.length > 20);
  assert.deepEqual(deadTargets(named, '.', ''), []);
});
