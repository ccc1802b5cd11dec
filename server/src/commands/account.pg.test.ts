import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { codeOf } from '../../test/http-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { explain } from './refusal.ts';
import { runProgram } from './program.ts';
import { environmentOf } from './test-doctor.ts';

const database = useDatabase();
const app = useApp(database);
const password = 'rg yzb olwm k';
const another = 'pfx dcu qhkt';
// Each run of the command opens a log on stderr.
process.stderr.setMaxListeners(100);
let folder: string;
let passwordFile: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'messenger-account-'));
  passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`);
});
after(async () => rm(folder, { recursive: true, force: true }));

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `messenger account …`; without answers, there is no terminal. */
async function account(args: readonly string[], answers?: readonly string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const err = (text: string): void => void (said.err += text);
  const left = [...(answers ?? [])];
  const io = {
    env: environmentOf(database().endpoints),
    out: (text: string) => void (said.out += text),
    err,
    errIsTerminal: false,
    onSignal: () => undefined,
    askSecret: answers && (async () => left.shift() ?? assert.fail('one question too many')),
    exec: '',
    version: '0.0.0',
  };
  const code = await runProgram(['account', ...args], io).catch((error: unknown) => explain(error, err));
  return { code, ...said };
}

const names = ['--first-name', 'Ada', '--last-name', 'Lovelace'];

async function create(username: string, ...flags: readonly string[]): Promise<Said> {
  return await account(['create', username, ...names, '--password-file', passwordFile, ...flags]);
}

async function signIn(username: string, word = password) {
  const payload = { username, password: word };
  return await app().http.inject({ method: 'POST', url: '/api/v1/sessions', payload });
}

async function tokenOf(username: string): Promise<string> {
  const answer = await signIn(username);
  assert.equal(answer.statusCode, 201, answer.body);
  return answer.json<{ token: string }>().token;
}

async function statusOf(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await app().http.inject({ url: '/api/v1/me', headers })).statusCode;
}

async function eventsOf(username: string): Promise<unknown[]> {
  return await database().sql(
    `select kind, actor_id, address from audit join accounts using (user_id) where username = $1
        and kind <> 'signed_in' order by at, id`,
    [username],
  );
}

const byOperator = (kind: string) => ({ kind, actor_id: null, address: null });

test('an account that the operator creates can sign in; the first one is an administrator', async () => {
  assert.match((await create('Root')).out, /^created root \(Ada Lovelace\): admin, since \d{4}-\d\d-\d\d\n$/u);
  assert.match((await create('second', '--role', 'moderator')).out, /: moderator,/u);
  assert.equal((await signIn('root')).statusCode, 201);
});

test('a new password is entered twice, ends all sessions within a second, and applies at once', async () => {
  await create('changing');
  const token = await tokenOf('changing');
  assert.equal(await statusOf(token), 200);
  const { code, out } = await account(['password', 'changing'], [another, another]);
  assert.deepEqual([code, out], [0, 'set the password of changing, and ended its sessions\n']);
  await waitFor('the end of the session', async () => (await statusOf(token)) === 401, 5_000);
  assert.equal(codeOf(await signIn('changing')), 'invalid_credentials');
  assert.equal((await signIn('changing', another)).statusCode, 201);
  assert.equal((await account(['password', 'changing'], [password, another])).err, 'The two passwords differ.\n');
  assert.equal((await signIn('changing', another)).statusCode, 201);
});

test('a disabled account loses its sessions and cannot sign in until it is enabled', async () => {
  await create('leaver');
  const token = await tokenOf('leaver');
  assert.match((await account(['disable', 'leaver'])).out, /^changed leaver \(Ada Lovelace\): member, disabled,/u);
  await waitFor('the end of the session', async () => (await statusOf(token)) === 401, 5_000);
  assert.notEqual((await signIn('leaver')).statusCode, 201);
  await account(['disable', 'leaver', '--undo']);
  assert.equal((await signIn('leaver')).statusCode, 201);
});

test('a changed role applies to running servers within a second', async () => {
  await create('promoted');
  const headers = { authorization: `Bearer ${await tokenOf('promoted')}` };
  const listed = async (): Promise<number> =>
    (await app().http.inject({ url: '/api/v1/accounts', headers })).statusCode;
  assert.equal(await listed(), 403);
  await account(['role', 'promoted', 'admin']);
  await waitFor('the new role', async () => (await listed()) === 200, 5_000);
  await account(['role', 'promoted', 'member']);
  await waitFor('the old role', async () => (await listed()) === 403, 5_000);
});

test('changes by the operator are security events without account and address', async () => {
  await create('audited');
  await account(['password', 'audited'], [another, another]);
  await account(['role', 'audited', 'moderator']);
  await account(['disable', 'audited']);
  const kinds = ['account_created', 'password_changed', 'role_changed', 'account_disabled'];
  assert.deepEqual(await eventsOf('audited'), kinds.map(byOperator));
});

test('the list has all accounts, by username', async () => {
  await create('zoe');
  const { out } = await account(['list']);
  const listed = out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0]);
  assert.ok(listed.includes('zoe'));
  assert.ok(
    listed.every((name, n) => n === 0 || (listed[n - 1] ?? '') < (name ?? '')),
    listed.join(' '),
  );
});

test('errors contain the remedy, and change nothing', async () => {
  await create('taken');
  const refusals = [
    [await create('taken'), /^There already is an account named taken\.\n$/u],
    [await create('not valid'), /^not valid is not a valid username\.\n$/u],
    [
      await account(['password', 'nobody'], [another, another]),
      /^There is no account named nobody\. `messenger account list`/u,
    ],
    [await account(['password', 'taken'], ['short', 'short']), /^The password must have 12 to 256 characters\.\n$/u],
    [await account(['password', 'taken']), /^There is no terminal .* use --password-file <file>\.\n$/u],
    [
      await account(['password', 'taken', '--password-file', join(folder, 'absent')]),
      /^--password-file: .* cannot be read/u,
    ],
    [await account(['role', 'taken', 'king']), /Allowed choices are member, moderator, admin/u],
  ] as const;
  for (const [{ code, out, err }, expected] of refusals) {
    assert.match(err, expected);
    assert.notEqual(code, 0, err);
    assert.equal(out, '');
    assert.doesNotMatch(err, /short|rg yzb/u);
  }
  assert.equal((await signIn('taken')).statusCode, 201);
});

test('the last administrator cannot be demoted or disabled', async () => {
  for (const args of [
    ['role', 'root', 'member'],
    ['disable', 'root'],
  ])
    assert.match((await account(args)).err, /^root is the last administrator\. Make another account an administrator/u);
  assert.equal((await signIn('root')).statusCode, 201);
});

test('a password cannot be an argument', async () => {
  const { code, err } = await account(['create', 'ada', ...names, '--password', password]);
  assert.equal(code, 64);
  assert.match(err, /unknown option '--password'/u);
});

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const hasScript = await promisify(execFile)('script', ['--version']).then(
  ({ stdout }) => stdout.includes('util-linux'),
  () => false,
);

test('on a real terminal, the password is not echoed', { skip: !hasScript && 'needs util-linux' }, async () => {
  await create('typed');
  const env = { PATH: process.env['PATH'] ?? '', ...environmentOf(database().endpoints) };
  const running = promisify(execFile)(
    'script',
    ['-qec', `"${process.execPath}" "${main}" account password typed`, '/dev/null'],
    { env },
  );
  let shown = '';
  running.child.stdout?.on('data', (text) => (shown += String(text)));
  await waitFor('the question', () => shown.includes('Password: '));
  running.child.stdin?.write(`${another}\r`);
  await waitFor('the second question', () => shown.includes('The same again: '));
  running.child.stdin?.write(`${another}\r`);
  await running;
  assert.match(shown, /set the password of typed/u);
  assert.ok(!shown.includes(another), shown);
  assert.equal((await signIn('typed', another)).statusCode, 201);
});
