/**
 * The lint rules enforce the import directions of ARCHITECTURE.md. Each is violated once here, in a folder tree of the
 * same layout, and refused with its reason; the allowed imports beside it pass.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '../..');

interface Case {
  readonly file: string;
  readonly refused: Readonly<Record<string, RegExp>>;
  readonly allowed: readonly string[];
}

const from = (...specifiers: readonly string[]): string[] => specifiers.map((name) => `import '${name}';`);
const refuse = (reason: RegExp, ...lines: readonly string[]): Record<string, RegExp> =>
  Object.fromEntries(lines.map((line) => [line, reason]));

const entry = /main\.ts is the entry of every process/u;
const tests = /runs without its tests/u;
const composition = /app\.ts is the composition root/u;
const commandLine = /commands\/ is the command line/u;
const domains = /Only app\.ts combines the domains/u;
const engine = /An engine imports no domain/u;
const oneWay = /Imports have one direction/u;
const pg = /Only db\/, embedded\/, backup\/ and feed\/ use PostgreSQL/u;
const fastify = /use Fastify/u;
const contract = /imports only typebox/u;
const settings = /Configuration is an argument/u;
const signals = /listens to signals/u;

const everywhere = {
  ...refuse(entry, ...from('../main.ts')),
  ...refuse(tests, ...from('./a.test.ts', '../lib/a.test.ts', '../../test/a.ts', '../../bench/a.ts')),
  ...refuse(/Use the global `process`/u, `import { env } from 'node:process';`, `import { argv } from 'process';`),
  ...refuse(/The contract is a package/u, ...from('../../../protocol/src/user.ts')),
};

const processState = {
  ...refuse(settings, 'process.env;', `process.env['PORT'];`, 'const { env } = process;', 'process.argv;'),
  ...refuse(signals, `process.on('SIGTERM', () => {});`, `process.once('exit', () => {});`),
  ...refuse(/ends the process/u, 'process.exit(1);'),
};

const cases: readonly Case[] = [
  {
    file: 'protocol/src/user.ts',
    refused: refuse(contract, ...from('pg', 'fastify', 'node:fs', '@messenger/server', '../../server/src/app.ts')),
    allowed: from('typebox', 'typebox/value', './limits.ts'),
  },
  {
    file: 'client/src/rest.ts',
    refused: refuse(
      /The client has no dependencies/u,
      ...from('node:fs', 'typebox', 'ws', '@messenger/protocol/users', '../../server/src/app.ts'),
    ),
    allowed: from('./api.ts'),
  },
  ...['http', 'db', 'process', 'embedded', 'backup', 'tuning', 'doctor', 'telemetry'].map((name) => ({
    file: `server/src/${name}/thing.ts`,
    refused: {
      ...everywhere,
      ...processState,
      ...refuse(engine, ...from('../users/users.ts', '../users/user-reader.ts', '../app.ts', '../config.ts')),
      ...refuse(engine, `export * from '../later-domain/later-domain.ts';`, `await import('../users/users.ts');`),
    },
    allowed: [
      'process.pid;',
      ...from('../lib/clock.ts', '../telemetry/log.ts', './other.ts', '@messenger/protocol/user'),
    ],
  })),
  ...['lib/thing', 'telemetry/log'].map((name) => ({
    file: `server/src/${name}.ts`,
    refused: {
      ...everywhere,
      ...refuse(
        /the lowest layer/u,
        ...from('../db/pool.ts', '../http/server.ts', '../users/users.ts', '../config.ts'),
      ),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
    },
    allowed: from('../lib/clock.ts', './other.ts'),
  })),
  ...['http', 'process', 'tuning', 'doctor', 'telemetry'].map((name) => ({
    file: `server/src/${name}/sql.ts`,
    refused: refuse(
      pg,
      `import pg from 'pg';`,
      `import type { Pool } from 'pg';`,
      ...from('pg/lib/utils.js', 'pg-pool'),
    ),
    allowed: [],
  })),
  ...['db', 'process', 'embedded', 'tuning', 'doctor', 'telemetry'].map((name) => ({
    file: `server/src/${name}/web.ts`,
    refused: refuse(fastify, `import type { FastifyInstance } from 'fastify';`, ...from('@fastify/cors')),
    allowed: [],
  })),
  { file: 'server/src/db/driver.ts', refused: {}, allowed: from('pg') },
  { file: 'server/src/embedded/driver.ts', refused: {}, allowed: from('pg') },
  { file: 'server/src/backup/driver.ts', refused: {}, allowed: from('pg') },
  { file: 'server/src/http/framework.ts', refused: {}, allowed: from('fastify', '@fastify/cors') },
  {
    file: 'server/src/users/user-routes.ts',
    refused: {
      ...everywhere,
      ...processState,
      ...refuse(/storage is behind <domain>\.ts/u, ...from('./user-reader.ts', './user-writer.ts', '../db/pool.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(oneWay, ...from('../app.ts', '../config.ts', '../later-domain/later-reader.ts')),
    },
    allowed: from('./users.ts', '../http/problem.ts', '../lib/clock.ts', 'fastify', '@messenger/protocol/user'),
  },
  {
    file: 'server/src/users/users.ts',
    refused: {
      ...everywhere,
      ...processState,
      ...refuse(/Use cases are independent of HTTP/u, ...from('./user-routes.ts', '../http/problem.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
      ...refuse(oneWay, ...from('../app.ts', '../config.ts', '../later-domain/later-writer.ts')),
    },
    allowed: from('./user-reader.ts', './user-writer.ts', '../db/transaction.ts', '../lib/clock.ts'),
  },
  ...['reader', 'writer'].map((layer) => ({
    file: `server/src/users/user-${layer}.ts`,
    refused: {
      ...everywhere,
      ...processState,
      ...refuse(/A reader or writer contains SQL/u, ...from('./user-routes.ts', './users.ts', '../http/problem.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
      ...refuse(oneWay, ...from('../app.ts', '../config.ts')),
    },
    allowed: from('../db/pool.ts', '../lib/clock.ts', './page-cursor.ts', '@messenger/protocol/user'),
  })),
  {
    file: 'server/src/accounts/accounts.ts',
    refused: refuse(oneWay, ...from('../conversations/conversations.ts', '../messages/messages.ts')),
    allowed: from('../users/users.ts'),
  },
  {
    file: 'server/src/conversations/conversations.ts',
    refused: refuse(oneWay, ...from('../messages/messages.ts', '../accounts/account-reader.ts')),
    allowed: from('../accounts/accounts.ts', '../users/users.ts'),
  },
  {
    file: 'server/src/messages/messages.ts',
    refused: refuse(oneWay, ...from('../conversations/conversation-reader.ts')),
    allowed: from('../conversations/conversations.ts'),
  },
  {
    // A new domain must be named in oxlint.config.ts before it can import anything.
    file: 'server/src/later-domain/later-domain.ts',
    refused: {
      ...refuse(oneWay, ...from('../users/user-reader.ts', '../db/pool.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
    },
    allowed: from('./later-reader.ts'),
  },
  {
    file: 'server/src/config.ts',
    refused: {
      ...refuse(composition, ...from('./app.ts')),
      ...refuse(commandLine, ...from('./commands/start.ts')),
      ...refuse(domains, ...from('./users/users.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
      ...processState,
    },
    allowed: from('./lib/options.ts', './worker.ts'),
  },
  {
    file: 'server/src/app.ts',
    refused: {
      ...refuse(entry, ...from('./main.ts')),
      ...refuse(commandLine, ...from('./commands/start.ts')),
      ...refuse(pg, ...from('pg')),
      ...processState,
    },
    allowed: from('./users/user-routes.ts', './db/pool.ts', './config.ts', 'fastify'),
  },
  {
    file: 'server/src/worker.ts',
    refused: {
      ...refuse(entry, ...from('./main.ts')),
      ...refuse(commandLine, ...from('./commands/start.ts')),
      ...refuse(domains, ...from('./users/users.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
      ...processState,
    },
    allowed: from('./app.ts', './config.ts', './process/messages.ts'),
  },
  {
    file: 'server/src/commands/start.ts',
    refused: {
      ...refuse(entry, ...from('../main.ts')),
      ...refuse(composition, ...from('../app.ts')),
      ...refuse(domains, ...from('../users/user-writer.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
      ...processState,
    },
    allowed: from('../worker.ts', '../config.ts', '../db/migrations.ts', './migrate.ts'),
  },
  {
    file: 'server/src/commands/account.ts',
    refused: { ...refuse(composition, ...from('../app.ts')), ...refuse(pg, ...from('pg')), ...processState },
    allowed: from('../accounts/operator-accounts.ts'),
  },
  {
    file: 'server/src/main.ts',
    refused: {
      ...refuse(composition, ...from('./app.ts')),
      ...refuse(domains, ...from('./users/users.ts')),
      ...refuse(pg, ...from('pg')),
      ...refuse(fastify, ...from('fastify')),
    },
    allowed: [
      ...from('./commands/program.ts', './config.ts'),
      'process.env;',
      'process.argv;',
      `process.on('SIGTERM', () => {});`,
      'process.exit(1);',
    ],
  },
  {
    file: 'server/src/users/users.test.ts',
    refused: refuse(entry, ...from('../main.ts')),
    allowed: [...from('../app.ts', './user-reader.ts', '../http/server.ts', 'pg', 'fastify'), 'process.env;'],
  },
  { file: 'server/test/any.e2e.ts', refused: {}, allowed: from('../src/app.ts', '../src/db/pool.ts', 'pg') },
  {
    file: 'loadtest/src/user-model.ts',
    refused: refuse(/The load test is a black-box test/u, ...from('@messenger/server', '../../server/src/app.ts')),
    allowed: from('@messenger/protocol/user', './rates.ts'),
  },
];

/** One file per line, so that each diagnostic belongs to one line. Names keep the pattern of the case's file. */
let tree: string;
let complaints: ReadonlyMap<string, readonly string[]>;

before(() => {
  tree = mkdtempSync(join(tmpdir(), 'messenger-boundaries-'));
  const config = JSON.stringify(join(root, 'oxlint.config.ts'));
  // Without type information: it would need the packages, and the boundaries do not.
  write('oxlint.config.ts', `import config from ${config};\nexport default { ...config, options: {} };`);
  for (const { file, refused, allowed } of cases)
    write(file, `${[...Object.keys(refused), ...allowed].join('\n')}\nexport {};\n`);
  complaints = lint();
});
after(() => rmSync(tree, { recursive: true, force: true }));

function write(name: string, source: string): void {
  const file = join(tree, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
}

interface Diagnostic {
  readonly code: string;
  readonly help?: string;
  readonly filename: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

/** oxlint's diagnostics about boundaries, by `file:line`. */
function lint(): Map<string, string[]> {
  const bin = join(root, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [bin, '-f', 'json'], {
    cwd: tree,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- With another shape, no diagnostic would be found.
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  const found = new Map<string, string[]>();
  for (const { code, help, filename, labels } of diagnostics) {
    if (!code.includes('no-restricted-')) continue;
    const place = `${filename}:${labels[0]?.span.line ?? 0}`;
    found.set(place, [...(found.get(place) ?? []), help ?? '']);
  }
  return found;
}

function verify({ file, refused, allowed }: Case): void {
  for (const [index, line] of [...Object.keys(refused), ...allowed].entries()) {
    const said = complaints.get(`${file}:${index + 1}`)?.join(' ') ?? 'nothing';
    assert.match(said, refused[line] ?? /^nothing$/u, `${line} in ${file}: oxlint says ${said}`);
  }
}

for (const place of cases) test(`${place.file} can import and read only what its place allows`, () => verify(place));

test('a disabled rule has a reason', () => {
  const directive = /(?:oxlint|eslint)-disable[^\n]*/gu;
  const sources = globSync(['{protocol,server,scripts,loadtest}/**/*.{ts,mjs}'], {
    cwd: root,
    exclude: ['**/node_modules/**'],
  });
  const silent = sources.flatMap((file) =>
    (readFileSync(join(root, file), 'utf8').match(directive) ?? [])
      .filter((text) => !/ -- \S.{10}/u.test(text))
      .map((text) => `${file}: ${text}`),
  );
  assert.deepEqual(silent, []);
});
