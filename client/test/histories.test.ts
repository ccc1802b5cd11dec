/** Random histories of a conversation, with faults: afterwards the client has what the database has, and has never shown anything older. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Random } from '../../server/test/chaos/random.ts';
import type { Conversation, Message } from '../src/api.ts';
import { Messenger } from '../src/messenger.ts';
import { MemoryStorage } from '../src/storage.ts';
import type { ConversationEvent } from '../src/store.ts';
import { me, ModelServer } from './model-server.ts';
import { VirtualClock } from './virtual-clock.ts';

const followed = ['c1', 'c2'];
const ids = [...followed, 'c3', 'c4'];

type Step = (world: World) => void;

/** What one client has shown. */
class Shown {
  readonly problems: string[] = [];
  readonly #heads = new Map<string, Conversation>();
  readonly #states = new Map<string, number>();

  /** Each state of a message comes once, in the order of its changes. */
  check({ conversation_id: id, messages }: ConversationEvent): void {
    for (const { number, seq } of messages) {
      const before = this.#states.get(`${id} ${number}`) ?? 0;
      if (seq <= before) this.problems.push(`message ${number} of ${id} came with ${seq} after ${before}`);
      this.#states.set(`${id} ${number}`, seq);
    }
  }

  checkHeads(heads: readonly Conversation[]): void {
    for (const head of heads) {
      const before = this.#heads.get(head.id) ?? head;
      this.#heads.set(head.id, head);
      for (const [name, older, newer] of [
        ['seq', before.seq, head.seq],
        ['last_number', before.last_number, head.last_number],
        ['read_number', before.me.read_number, head.me.read_number],
      ] as const)
        if (newer < older) this.problems.push(`${name} of ${head.id} went from ${older} back to ${newer}`);
    }
  }

  /** After the person has left it, a conversation begins anew. */
  forget(id: string): void {
    this.#heads.delete(id);
    for (const key of this.#states.keys()) if (key.startsWith(`${id} `)) this.#states.delete(key);
  }
}

/** A client, its server, and what the client has shown. */
class World {
  readonly clock = new VirtualClock();
  readonly server: ModelServer;
  readonly storage = new MemoryStorage();
  /** What the person wrote, by conversation, in order. */
  readonly written = new Map<string, string[]>();
  readonly problems: string[] = [];
  readonly #random: () => number;
  client: Messenger;
  #ids = 0;

  constructor(random: Random) {
    this.#random = () => random.next();
    this.server = new ModelServer(this.clock, this.#random);
    for (const id of ids) this.server.join(id);
    // More than is loaded at once.
    for (let i = 0; i < 230; i += 1)
      this.server.commit('c1', (one, place) => void one.insert(place, 'bob', `bob-${place}`, { body: 'old' }));
    this.client = this.#start();
  }

  /** The page is loaded again: only the storage is left. */
  reload(): void {
    this.client.stop();
    this.server.cut();
    this.client = this.#start();
  }

  write(id: string, body: string): void {
    this.written.set(id, [...(this.written.get(id) ?? []), body]);
    void this.client.send(id, body);
  }

  #start(): Messenger {
    const shown = new Shown();
    const { clock, server, storage } = this;
    const newId = (): string => `id-${(this.#ids += 1)}`;
    const client = new Messenger({
      url: 'http://model',
      fetch: server.fetch,
      WebSocket: server.WebSocket,
      clock,
      random: this.#random,
      storage,
      newId,
    });
    for (const id of followed) client.follow(id, (event) => shown.check(event));
    client.subscribe('conversations', () => {
      for (const id of ids) if (client.conversation(id) === undefined) shown.forget(id);
      shown.checkHeads(client.conversations);
      this.problems.push(...shown.problems.splice(0));
    });
    client.start();
    return client;
  }
}

const conversation = fc.constantFrom(...ids);
const small = fc.integer({ min: 1, max: 6 });

const others: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(conversation, small).map(([id, count]): Step => ({ server }) => {
      for (let i = 0; i < count; i += 1)
        server.commit(id, (one, place) => void one.insert(place, 'bob', `bob-${place}`, { body: `text ${place}` }));
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(conversation, small, fc.boolean()).map(
      ([id, number, isDeletion]): Step =>
        ({ server }) =>
          server.commit(id, (one, place) =>
            one.edit(place, one.messages.length - number * 15 + 15, isDeletion ? undefined : `edited ${place}`),
          ),
    ),
  },
  {
    weight: 1,
    arbitrary: conversation.map(
      (id): Step =>
        ({ server }) =>
          server.commit(id, (one, place) => one.rename(place, `title ${place}`)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(conversation, fc.boolean()).map(
      ([id, isPresent]): Step =>
        ({ server }) =>
          server.commit(id, (one, place) => one.setMember(place, 'eve', isPresent)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('c4', 'c2').map((id): Step => ({ server }) => {
      if (server.conversations.has(id)) server.leave(id);
      else server.join(id);
    }),
  },
);

const own: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom('c1', 'c3'), fc.integer(), fc.boolean()).map(
      ([id, n, isBad]): Step =>
        (world) =>
          world.write(id, `${isBad ? 'bad' : 'good'} ${n} ${world.written.get(id)?.length ?? 0}`),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(conversation, small).map(
      ([id, number]): Step =>
        ({ client, server }) =>
          client.read(id, Math.min(number, server.conversations.get(id)?.messages.length ?? 0)),
    ),
  },
  {
    weight: 1,
    arbitrary: conversation.map(
      (id): Step =>
        ({ client }) =>
          void client.loadOlder(id).catch(() => undefined),
    ),
  },
);

const faults: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>(({ server }) => server.cut()),
  fc.constant<Step>(({ server }) => server.cut(4000)),
  fc.constant<Step>((world) => world.reload()),
  // In the middle of the welcome.
  fc.integer({ min: 10, max: 120 }).map((ms): Step => (world) => {
    world.reload();
    world.clock.setTimeout(() => world.server.cut(), ms);
  }),
  small.map(
    (count): Step =>
      ({ server }) =>
        void (server.faults.lostFrames += count),
  ),
  small.map(
    (count): Step =>
      ({ server }) =>
        void (server.faults.repeatedFrames += count),
  ),
  fc.constantFrom(503, 429, 504, 500).map(
    (status): Step =>
      ({ server }) =>
        void server.faults.refusals.push(status),
  ),
  fc.constant<Step>(({ server }) => void (server.faults.cutAnswers += 1)),
  fc.constant<Step>(({ server }) => void (server.faults.failedPages += 1)),
  fc.integer({ min: 1, max: 300 }).map(
    (ms): Step =>
      ({ server }) =>
        void (server.faults.pageDelayMs = ms),
  ),
);

const history = fc.array(
  fc.tuple(
    fc.oneof({ weight: 5, arbitrary: others }, { weight: 4, arbitrary: own }, { weight: 2, arbitrary: faults }),
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 }), fc.constant(5_000)),
  ),
  { minLength: 1, maxLength: 120, size: 'max' },
);

async function checkEnd({ client, server, clock, written }: World): Promise<void> {
  const shown = client.conversations.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const heads = [...server.conversations.values()].map(({ head }) => head).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(shown, heads);
  for (const id of followed) {
    const older = (async () => {
      while (await client.loadOlder(id));
    })();
    await clock.pass(60_000);
    await older;
    const text = JSON.stringify(server.conversations.get(id)?.messages ?? []);
    const stored: unknown = JSON.parse(text);
    assert.deepEqual(client.messages(id), stored, id);
  }
  for (const [id, bodies] of written) {
    const good = bodies.filter((body) => !body.startsWith('bad'));
    const mine = (server.conversations.get(id)?.messages ?? []).filter(({ sender_id: sender }) => sender === me);
    assert.deepEqual(originals(server, mine), good, `${id}: each message was stored once, in order`);
    const refused = client.unsent(id).map(({ body, state, problem }) => [body, state, problem?.code]);
    const bad = bodies.filter((body) => body.startsWith('bad')).map((body) => [body, 'failed', 'not_permitted']);
    assert.deepEqual(refused, bad, `${id}: what was refused is kept`);
  }
}

/** What was sent, whatever was edited since. */
function originals(server: ModelServer, messages: readonly Message[]): readonly (string | undefined)[] {
  return messages.map(({ id }) => server.sent.get(id));
}

test('whatever happens on the way, the client ends with what is stored, has shown nothing older, and has sent each message once', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer(), async (steps, seed) => {
      const world = new World(new Random(seed));
      for (const [step, ms] of steps) {
        step(world);
        await world.clock.pass(ms);
      }
      Object.assign(world.server.faults, {
        lostFrames: 0,
        repeatedFrames: 0,
        refusals: [],
        cutAnswers: 0,
        failedPages: 0,
        pageDelayMs: 20,
      });
      await world.clock.pass(120_000);
      // The last frame may be among those that were lost: nothing after it shows the hole.
      world.server.cut();
      await world.clock.pass(120_000);
      await checkEnd(world);
      assert.deepEqual(world.problems, []);
      world.client.stop();
    }),
    { numRuns: 200 },
  );
});

test('after a restored backup the client shows what the backup has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(others, { minLength: 5 }),
      fc.array(others, { minLength: 5 }),
      fc.integer(),
      async (first, second, seed) => {
        const world = new World(new Random(seed));
        const play = async (steps: readonly Step[]): Promise<void> => {
          for (const step of steps) {
            step(world);
            await world.clock.pass(50);
          }
        };
        await play(first);
        const restore = world.server.snapshot();
        await play(second);
        restore();
        await world.clock.pass(60_000);
        await checkEnd(world);
        await play(second);
        await world.clock.pass(60_000);
        await checkEnd(world);
        world.client.stop();
      },
    ),
    { numRuns: 50 },
  );
});
