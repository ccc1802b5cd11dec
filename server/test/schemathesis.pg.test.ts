import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createTestApp } from './app.ts';
import { signUp } from './clients.ts';
import { useDatabase } from './database.ts';

const version = '4.32.5';
const installed = join(import.meta.dirname, `../../node_modules/.cache/schemathesis-${version}`);
const installMs = 90_000;
/**
 * Generated requests per operation. `SCHEMATHESIS_EXAMPLES=50 npm test -- schemathesis` sends more, with the boundary values of each field and
 * sequences of calls, which takes minutes.
 */
const examples = Number(process.env['SCHEMATHESIS_EXAMPLES'] ?? 2);
const phases = examples > 2 ? 'examples,coverage,fuzzing,stateful' : 'fuzzing';

const execute = promisify(execFile);
const database = useDatabase();

/** Installs it once for all runs. Returns the reason if that failed. */
async function install(): Promise<string | undefined> {
  if (existsSync(installed)) return undefined;
  const folder = `${installed}-${process.pid}`;
  try {
    await execute('python3', ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', `schemathesis==${version}`];
    await execute(join(folder, 'bin/python'), pip, { timeout: installMs });
    await rename(folder, installed);
    return undefined;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return `schemathesis cannot be installed (it needs python3 with venv and pip, and a package index): ${reason}`;
  }
}

/** Its settings, with values that it cannot generate: a token of the server, and entity tags (it sends `0` for their pattern). */
async function writeSettings(folder: string, url: string): Promise<string> {
  const body = JSON.stringify({ first_name: 'Ada', last_name: 'Lovelace' });
  const headers = { 'content-type': 'application/json' };
  const created = await fetch(`${url}/api/v1/users`, { method: 'POST', headers, body });
  const token = created.headers.get('consistency-token') ?? assert.fail('a write gives a token');
  const file = join(folder, 'schemathesis.toml');
  const settings = readFileSync(join(import.meta.dirname, 'schemathesis.toml'), 'utf8');
  const hooks = join(import.meta.dirname, 'schemathesis-hooks.py');
  const parameters = `"consistency-token" = "${token}"\n"if-match" = "*"\n"if-none-match" = '"x"'\n`;
  await writeFile(file, `hooks = "${hooks}"\n${settings}\n[parameters]\n${parameters}`);
  return file;
}

async function countOperations(url: string): Promise<number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- By the OpenAPI specification.
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
  return Object.values(paths).reduce((count, operations) => count + Object.keys(operations).length, 0);
}

test(
  'answers to generated requests match the OpenAPI document',
  { timeout: 170_000 + examples * 60_000 },
  async (t) => {
    const missing = await install();
    if (missing !== undefined) {
      t.skip(missing);
      return;
    }
    const env = { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0', RATE_LIMIT_PASSWORDS: '0' };
    const app = await createTestApp(database().endpoints, { env });
    const folder = await mkdtemp(join(tmpdir(), 'messenger-schemathesis-'));
    try {
      const url = await app.http.listen({ port: 0, host: '127.0.0.1' });
      const limits = ['--generation-deterministic', '--max-examples', String(examples), '--phases', phases];
      const settings = await writeSettings(folder, url);
      const { token } = await signUp(app, 'chief');
      // Run as a module, because scripts of a virtual environment contain its original path.
      const args = [
        '-m',
        'schemathesis.cli',
        '--config-file',
        settings,
        'run',
        `${url}/openapi.json`,
        '--no-color',
        '--header',
        `Authorization: Bearer ${token}`,
        ...limits,
      ];
      const run = await execute(join(installed, 'bin/python'), args, {
        cwd: folder,
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      }).catch((error: unknown) => error);
      const said = typeof run === 'object' && run !== null && 'stdout' in run ? String(run.stdout) : String(run);
      assert.ok(!(run instanceof Error), said);
      // A warning lists the calls that only got 401 or 403.
      const [, refused = ''] = /Authentication failed([^]*?)💡/u.exec(said) ?? [];
      assert.doesNotMatch(refused, /- GET \/api\/v1\/(?:me|accounts|audit|sessions)$/mu, said);
      const tested = /Tested: +(?<count>\d+)/u.exec(said)?.groups?.['count'];
      assert.equal(Number(tested), await countOperations(url), said);
    } finally {
      await app.http.close();
      await app.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
