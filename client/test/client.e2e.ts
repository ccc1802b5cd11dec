/** The client, its README and the examples, with real servers. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { build } from 'esbuild';

import { noBrowser, useBrowser } from '../../server/test/browser.ts';
import { password } from '../../server/test/clients.ts';
import { Random } from '../../server/test/chaos/random.ts';
import { feedOf, useServers, workersOf, type Run } from '../../server/test/start-server.ts';
import { waitFor } from '../../server/test/wait-for.ts';
import type { Message } from '../src/api.ts';
import { Messenger } from '../src/messenger.ts';
import { Rest } from '../src/rest.ts';
import { MemoryStorage } from '../src/storage.ts';

const root = join(import.meta.dirname, '../..');
const servers = useServers();
const browser = useBrowser();
const programs: ChildProcess[] = [];
const clients: Messenger[] = [];
const people = new Map<string, { readonly rest: Rest; readonly id: string }>();
let server: Run;

before(async () => {
  const args = ['--workers', '2', '--realtime', 'on', '--rate-limit-writes', '0', '--rate-limit-reads', '0'];
  server = await servers.start(await servers.data(), { args });
  for (const username of ['ada', 'bob', 'echo', 'eve']) {
    const rest = new Rest({ url: server.url });
    const body = { username, password, first_name: username, last_name: 'Last' };
    const { token, user } = await rest.call('create_account', { body });
    rest.token = token;
    people.set(username, { rest, id: user.id });
  }
});
after(() => {
  for (const client of clients) client.stop();
  for (const program of programs) program.kill('SIGKILL');
});

const person = (name: string): { readonly rest: Rest; readonly id: string } => people.get(name) ?? assert.fail(name);

async function connect(name: string, storage = new MemoryStorage()): Promise<Messenger> {
  const client = new Messenger({ url: server.url, token: person(name).rest.token, storage });
  clients.push(client);
  client.start();
  await client.online();
  return client;
}

function run(
  args: readonly string[],
  cwd = root,
): { readonly out: () => string; readonly say: (line: string) => void } {
  const env = { ...process.env, MESSENGER_PASSWORD: password };
  const program = spawn(process.execPath, args, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  programs.push(program);
  let text = '';
  program.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { out: () => text, say: (line) => void program.stdin.write(`${line}\n`) };
}

async function group(title: string, ...names: readonly string[]): Promise<string> {
  const [owner = '', ...others] = names;
  const body = { kind: 'group' as const, title, members: others.map((name) => person(name).id) };
  return (await person(owner).rest.call('create_conversation', { body })).id;
}

const bodiesOf = (messages: readonly Message[]): readonly unknown[] => messages.map(({ body }) => body);

test('the program of the README sends and receives', async () => {
  const id = await group('Readme', 'ada', 'bob');
  const readme = readFileSync(join(root, 'client/README.md'), 'utf8');
  const [, program = ''] = /```ts\n(.*?)```/su.exec(readme) ?? [];
  assert.ok(program.trim().split('\n').length <= 12, 'it is short');
  const code = program.replace('http://127.0.0.1:8080', server.url);
  const { out } = run(['--input-type=module-typescript', '--eval', code], join(root, 'client'));
  await waitFor('the message', () => out() === '1 Hello from the client\n');
  assert.deepEqual(bodiesOf(await person('bob').rest.call('list_messages', { path: { conversation_id: id } })), [
    'Hello from the client',
  ]);
});

test('the echo bot repeats what it is told, once', async () => {
  const ada = await connect('ada');
  const { id } = await ada.openDirect(person('echo').id);
  await ada.send(id, 'before the bot is there');
  ada.follow(id);
  run(['examples/echo-bot.ts', server.url, 'echo']);
  await waitFor('the first answer', () => ada.messages(id).length === 2);
  await ada.send(id, 'and after');
  await waitFor('the second answer', () => ada.messages(id).length === 4);
  assert.deepEqual(bodiesOf(ada.messages(id)), [
    'before the bot is there',
    'before the bot is there',
    'and after',
    'and after',
  ]);
});

test('two terminals chat', async () => {
  const arguments_ = (one: string, other: string): string[] => [
    'examples/chat.ts',
    '--url',
    server.url,
    '--as',
    one,
    '--with',
    other,
  ];
  const ada = run(arguments_('ada', 'bob'));
  const bob = run(arguments_('bob', 'ada'));
  await waitFor('both', () => [ada, bob].every(({ out }) => out().includes('Ctrl-D')));
  ada.say('Hello Bob');
  await waitFor('the message', () => bob.out().includes('ada: Hello Bob\n') && ada.out().includes('you: Hello Bob\n'));
  bob.say('Hello Ada');
  await waitFor('the answer', () => ada.out().includes('bob: Hello Ada\n'));
});

test('a terminal with a wrong password, or without a server, says so in one line', async () => {
  const wrong = run(['examples/chat.ts', '--url', server.url, '--as', 'nobody']);
  await waitFor('the refusal', () => wrong.out() === 'You are not signed in: The username or the password is wrong\n');
  const alone = run(['examples/chat.ts', '--url', 'http://127.0.0.1:9', '--as', 'ada']);
  await waitFor('the reason', () => /^You are not signed in: .+\n$/u.test(alone.out()));
});

test('people see who types, who is there, and how far others have read; an ended session ends the client', async () => {
  const [ada, bob] = [await connect('ada'), await connect('bob')];
  const { id } = await ada.openDirect(person('bob').id);
  ada.follow(id);
  bob.follow(id);
  ada.look([person('bob').id]);
  await ada.send(id, 'Are you there?');
  await waitFor('the message', () => bob.messages(id).at(-1)?.body === 'Are you there?');
  await waitFor('presence', () => ada.presence(person('bob').id)?.state === 'online');
  bob.type(id);
  await waitFor('typing', () => ada.typing(id).includes(person('bob').id));
  const { last_number: last = 0 } = bob.conversation(id) ?? {};
  bob.read(id, last);
  await waitFor('the receipt', () => ada.readBy(id).get(person('bob').id) === last);
  await waitFor('nothing unread', () => bob.conversation(id)?.me.unread === 0);

  const guest = new Messenger({ url: server.url });
  clients.push(guest);
  const { session } = await guest.signIn({ username: 'bob', password });
  guest.start();
  await guest.online();
  await person('bob').rest.call('end_session', { path: { id: session.id } });
  await waitFor('the end', () => guest.connection === 'ended');
  assert.equal(guest.endCode, 4505);

  await guest.signIn({ username: 'echo', password });
  guest.start();
  await guest.online();
  const theirs = await person('echo').rest.call('list_conversations');
  assert.deepEqual(guest.conversations.map((one) => one.id).toSorted(), theirs.map((one) => one.id).toSorted());
});

test(
  'a message that was written without a network survives a reload of the page, and is sent once',
  { skip: noBrowser },
  async () => {
    const id = await group('Browser', 'ada', 'bob');
    const entries = `export { Messenger } from './messenger.ts'; export { IndexedDbStorage } from './indexed-db.ts';`;
    const { outputFiles } = await build({
      stdin: { contents: entries, resolveDir: join(root, 'client/src') },
      bundle: true,
      format: 'iife',
      globalName: 'client',
      write: false,
    });
    const code = `${outputFiles[0]?.text ?? ''}
    globalThis.ada = new client.Messenger({ url: location.origin, storage: new client.IndexedDbStorage('ada') });`;
    const page = await browser.open(`${server.url}/livez`, { bypassCSP: true });
    const evaluate = async (expression: string): Promise<unknown> => await page.evaluate(expression);
    await evaluate(code);
    await evaluate(`ada.signIn({ username: 'ada', password: '${password}', cookie: true })`);
    await evaluate('ada.start(); ada.online()');
    await page.context().setOffline(true);
    await evaluate(`ada.stop(); ada.send('${id}', 'one').then(() => ada.send('${id}', 'two'))`);
    await page.context().setOffline(false);
    await page.reload();
    await evaluate(code);
    await evaluate(`ada.start(); ada.online()`);
    const { rest } = person('bob');
    const path = { conversation_id: id };
    await waitFor('both messages', async () => (await rest.call('list_messages', { path })).length === 2);
    assert.deepEqual(bodiesOf(await rest.call('list_messages', { path })), ['one', 'two']);
    await waitFor('an empty outbox', async () => (await evaluate(`ada.unsent('${id}').length`)) === 0);
  },
);

async function readAll(rest: Rest, id: string): Promise<readonly Message[]> {
  const all: Message[] = [];
  for (;;) {
    const query = { after: all.length, limit: 200 };
    const page = await rest.call('list_messages', { path: { conversation_id: id }, query });
    if (page.length === 0) return all;
    all.push(...page);
  }
}

/** What one person writes: each message once, in order, while the page is loaded again now and then. */
interface Writer {
  readonly name: string;
  readonly storage: MemoryStorage;
  client: Messenger;
  readonly written: string[];
}

test('while workers and the feed are killed, and pages are loaded again, each message is stored once and in order, and everybody ends with the same', async () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  const id = await group('Chaos', 'ada', 'bob', 'eve');
  const problems: string[] = [];
  const watch = (name: string, client: Messenger): void => {
    const seen = new Map<number, number>();
    client.follow(id, ({ messages }) => {
      for (const { number, seq } of messages) {
        if (seq <= (seen.get(number) ?? 0)) problems.push(`${name}: message ${number} came with ${seq} again`);
        seen.set(number, seq);
      }
    });
  };
  const open = async (name: string, storage: MemoryStorage): Promise<Messenger> => {
    const client = await connect(name, storage);
    watch(name, client);
    return client;
  };
  const writers: Writer[] = [];
  for (const name of ['ada', 'bob']) {
    const storage = new MemoryStorage();
    writers.push({ name, storage, client: await open(name, storage), written: [] });
  }
  const faults = [
    () => process.kill(random.pick(workersOf(server.pid)), 'SIGKILL'),
    () => void (feedOf(server.pid) !== undefined && process.kill(feedOf(server.pid) ?? 0, 'SIGKILL')),
  ];
  for (let round = 0; round < 12; round += 1) {
    for (const writer of writers) {
      for (let i = 0; i < 5; i += 1) {
        const body = `${writer.name} ${writer.written.length}`;
        writer.written.push(body);
        await writer.client.send(id, body);
      }
    }
    if (round % 3 === 1) random.pick(faults)();
    if (round % 4 === 3) {
      const writer = random.pick(writers);
      writer.client.stop();
      writer.client = await open(writer.name, writer.storage);
    }
    const first = random.pick(writers);
    const own = first.client.messages(id).find(({ sender_id: sender }) => sender === person(first.name).id);
    if (own !== undefined)
      await first.client
        .call({ op: 'react', conversation_id: id, number: own.number, emoji: '👍', on: round % 2 === 0 })
        .catch(() => undefined);
  }
  await waitFor('empty outboxes', () => writers.every(({ client }) => client.unsent(id).length === 0), 60_000);
  const reader = person('eve').rest;
  // A standby may be behind: read nothing older than what the writers have seen.
  for (const { client } of writers) reader.seen.add(client.rest.seen.newest);
  for (const { name, written, client } of writers) {
    while (await client.loadOlder(id));
    const isEqual = async (): Promise<boolean> => isDeepStrictEqual(client.messages(id), await readAll(reader, id));
    await waitFor(`${name} to have all`, isEqual).catch(() => undefined);
    const stored = await readAll(reader, id);
    assert.deepEqual(client.messages(id), stored, `${name}, seed ${seed}`);
    assert.equal(client.conversation(id)?.last_number, stored.length);
    const mine = stored.filter(({ sender_id: sender }) => sender === person(name).id);
    assert.deepEqual(bodiesOf(mine), written, `${name}, seed ${seed}`);
  }
  assert.deepEqual(problems, [], `seed ${seed}`);
});
