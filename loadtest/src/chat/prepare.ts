import { setTimeout as sleep } from 'node:timers/promises';

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';

import type { ChatPlan } from '../messages.ts';
import type { Target } from '../target.ts';
import { UsageError } from '../usage-error.ts';
import { layOut } from './layout.ts';
import { readCast, writeCast, type Cast } from './people-file.ts';
import { seedPeople } from './seed-people.ts';

/** Conversations that are created at the same time. */
const concurrency = 16;
/** Sockets that connect per second before the run. */
const connectsPerSecond = 200;
const leastConnectMs = 500;
const callMs = 30_000;

const Created = Type.Object({ id: Type.String() });

export interface PrepareOptions {
  readonly users: number;
  readonly peopleFile: string | undefined;
  /** Of the primary; undefined when the file must have all people. */
  readonly databaseUrl: string | undefined;
  readonly random: () => number;
  readonly stopping: AbortSignal;
  readonly say: (text: string) => void;
}

/** The people of a chat and their conversations: those of the file, and new ones where it has too few. Throws `UsageError` when it cannot have them. */
export async function prepareChat(target: Target, options: PrepareOptions): Promise<ChatPlan> {
  const { users, peopleFile } = options;
  if (users < 2) throw new UsageError('A chat needs at least two users.');
  const known = peopleFile === undefined ? undefined : await readCast(peopleFile);
  if (known !== undefined) await assertKnown(known, target, peopleFile);
  const people = await completePeople(known?.people ?? [], options);
  const chosen = people.slice(0, users);
  const isComplete = known !== undefined && spans(known) === users;
  const conversations = isComplete ? known.conversations : await createConversations(target, chosen, options);
  if (peopleFile !== undefined && !isComplete)
    await writeCast(peopleFile, { server: target.baseUrl, people, conversations });
  return { people: chosen, conversations, connectMs: leastConnectMs + (users * 1000) / connectsPerSecond };
}

async function completePeople(known: Cast['people'], { users, databaseUrl }: PrepareOptions): Promise<Cast['people']> {
  if (known.length >= users) return known;
  if (databaseUrl === undefined)
    throw new UsageError(
      `A chat of ${users} needs as many accounts. Let the test create them (--database "$(npx messenger db url)"), and keep them for ` +
        'later runs (--people-file); or add --start.',
    );
  return [...known, ...(await seedPeople(databaseUrl, users - known.length))];
}

/** The number of people for whom the conversations were made. */
function spans({ conversations }: Cast): number {
  return conversations.reduce((most, { members }) => Math.max(most, ...members.map((member) => member + 1)), 0);
}

async function assertKnown({ server, people }: Cast, { baseUrl }: Target, file = ''): Promise<void> {
  const [first] = people;
  if (first === undefined) return;
  const answer = await fetch(`${baseUrl}/api/v1/me`, { headers: { authorization: `Bearer ${first.token}` } });
  await answer.body?.cancel();
  if (answer.status === 401)
    throw new UsageError(
      `${baseUrl} does not know the people of ${file}, which are of ${server}, or their sessions have ended. Delete the file: the next run creates new ones.`,
    );
}

async function createConversations(
  target: Target,
  people: readonly Cast['people'][number][],
  options: PrepareOptions,
): Promise<Cast['conversations']> {
  const groups = layOut(people.length, options.random);
  options.say(`${groups.length} conversations\n`);
  const conversations: Cast['conversations'] = [];
  await inParallel(groups, options.stopping, async (members) => {
    const [first, ...others] = members.flatMap((member) => people[member] ?? []);
    if (first === undefined) return;
    const ids = others.map(({ userId }) => userId);
    const one = members.length === 2 ? { method: 'PUT', path: `/api/v1/conversations/direct/${ids[0]}` } : group(ids);
    const { id } = await call(target, options, Created, { ...one, token: first.token });
    conversations.push({ id, members });
  });
  return conversations;
}

function group(members: readonly string[]): { method: string; path: string; body: object } {
  return { method: 'POST', path: '/api/v1/conversations', body: { kind: 'group', title: 'Load test', members } };
}

async function inParallel<Item>(
  items: readonly Item[],
  stopping: AbortSignal,
  use: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of waiting) {
        stopping.throwIfAborted();
        await use(item);
      }
    }),
  );
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly body?: object;
}

/** Waits as long as `Retry-After` says when the server has too much to do. */
async function call<Schema extends TSchema>(
  { baseUrl }: Target,
  { stopping }: PrepareOptions,
  schema: Schema,
  { method, path, token, body }: Call,
): Promise<Static<Schema>> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  for (;;) {
    const answer = await fetch(`${baseUrl}${path}`, {
      ...request,
      signal: AbortSignal.any([stopping, AbortSignal.timeout(callMs)]),
    });
    const value: unknown = await answer.json();
    if (answer.ok && Value.Check(schema, value)) return value;
    if (answer.status !== 503 && answer.status !== 429) throw refusal(method, path, answer.status, value);
    await sleep(Number(answer.headers.get('retry-after') ?? 1) * 1000, undefined, { signal: stopping });
  }
}

function refusal(method: string, path: string, status: number, problem: unknown): UsageError {
  const code = typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : '';
  return new UsageError(`The server answers ${method} ${path} with ${status} ${code}.`);
}
