/** A chat in the terminal: `npm run chat -- --as ada --with bob`. */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';

import { Messenger } from '@messenger/client';

const { values: options } = parseArgs({
  options: {
    as: { type: 'string', default: '' },
    with: { type: 'string' },
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
  },
});
const terminal = createInterface({ input: process.stdin, output: process.stdout });
const lines = terminal[Symbol.asyncIterator]();
const show = (text: string): void => void process.stdout.write(`${text}\n`);

async function ask(question: string): Promise<string> {
  process.stdout.write(question);
  const line = await lines.next();
  return line.done === true ? '' : line.value;
}

const chat = new Messenger({ url: options.url });
const username = options.as === '' ? await ask('Username: ') : options.as;
const password = process.env['MESSENGER_PASSWORD'] ?? (await ask('Password: '));
const { user } = await chat.signIn({ username, password }).catch((error: unknown) => {
  show(`You are not signed in: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
chat.start();
await chat.online();

/** The direct conversation with a person, or the one with the newest message. */
async function choose(name: string | undefined): Promise<string | undefined> {
  if (name === undefined) return chat.conversations[0]?.id;
  const [person] = await chat.rest.call('list_users', { query: { query: name } });
  return person === undefined ? undefined : (await chat.openDirect(person.id)).id;
}

const names = new Map([[user.id, 'you']]);

async function nameOf(id: string): Promise<string> {
  const name = names.get(id) ?? (await chat.rest.call('read_user', { path: { id } })).first_name;
  names.set(id, name);
  return name;
}

/** Messages are shown in their order, whenever their names are known. */
let shown = Promise.resolve();
const id = await choose(options.with);
if (id === undefined) {
  show(
    options.with === undefined
      ? 'There is no conversation yet: add --with and a name.'
      : 'There is nobody of this name.',
  );
  process.exit(1);
}
chat.follow(id, ({ messages }) => {
  shown = shown.then(async () => {
    for (const { sender_id: sender, body, number } of messages) {
      show(`${await nameOf(sender)}: ${body ?? '(deleted)'}`);
      chat.read(id, number);
    }
  });
});
chat.subscribe('outbox', () => {
  for (const { state, problem, body } of chat.unsent(id))
    if (state === 'failed') show(`not sent: ${body} (${problem?.title ?? 'refused'})`);
});
show('Type, and press Enter. Ctrl-D ends.');
for await (const line of lines) if (line.trim() !== '') await chat.send(id, line);
await shown;
chat.stop();
terminal.close();
