/**
 * Changes of a conversation are numbered 1, 2, 3 … without a gap or a repeat (promise G2): for random changes of members by four workers, with
 * refused and aborted calls, and connections that end in the middle.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Conversation } from '@messenger/protocol/conversations';
import type { Invite } from '@messenger/protocol/invites';

import { createTestApp } from '../../test/app.ts';
import { signUp } from '../../test/clients.ts';
import { useDatabase } from '../../test/database.ts';
import type { App } from '../app.ts';

const database = useDatabase();
const workers: App[] = [];
database.beforeDrop(async () => {
  for (const worker of workers) {
    await worker.http.close();
    await worker.close();
  }
});

/** Each numbered change of a row, in the order of the writes. */
const logChanges = `
  create table logged (
    place bigint generated always as identity, conversation_id uuid, seq bigint, cause text, change xid8 default pg_current_xact_id()
  );
  create function log_member() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' or new.changed_seq <> old.changed_seq then
        insert into logged (conversation_id, seq, cause) values (new.conversation_id, new.changed_seq, 'member');
      end if;
      return null;
    end $$;
  create function log_info() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' or new.info_seq <> old.info_seq then
        insert into logged (conversation_id, seq, cause) values (new.id, new.info_seq, 'info');
      end if;
      return null;
    end $$;
  create trigger log_changes after insert or update on members for each row execute function log_member();
  create trigger log_changes after insert or update on conversations for each row execute function log_info()`;

interface Person {
  readonly userId: string;
  readonly token: string;
}

interface World {
  readonly people: readonly Person[];
  /** Paths of conversations. */
  readonly places: readonly string[];
  readonly codes: readonly string[];
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] ?? assert.fail('the list is empty');
}

const roles = ['owner', 'admin', 'member', 'reader'];

/** A random call: method, path, body. */
function randomCall({ people, places, codes }: World): readonly [method: string, path: string, body?: object] {
  const [place, { userId }] = [pick(places), pick(people)];
  return pick([
    ['POST', `${place}/members`, { user_ids: [userId, pick(people).userId, pick(people).userId] }],
    ['POST', `${place}/members`, { user_ids: [userId] }],
    ['PATCH', `${place}/members/${userId}`, { role: pick(roles) }],
    ['DELETE', `${place}/members/${userId}`],
    ['DELETE', `${place}/members/me`],
    ['PUT', `${place}/members/me`],
    ['PUT', `${place}/members/me`],
    ['PUT', `${place}/bans/${userId}`],
    ['DELETE', `${place}/bans/${userId}`],
    ['DELETE', `${place}/bans/${userId}`],
    ['PATCH', place, { title: `Title ${Math.floor(Math.random() * 3)}` }],
    ['POST', `/invites/${pick(codes)}/accept`],
  ] as const);
}

/** Resolves with the status; 0 for a call whose client has left. */
async function call(
  by: Person,
  [method, path, payload]: ReturnType<typeof randomCall>,
  leaves = false,
): Promise<number> {
  const signal = leaves ? { signal: AbortSignal.timeout(Math.floor(Math.random() * 20)) } : {};
  const headers = { authorization: `Bearer ${by.token}` };
  const request = { url: `/api/v1${path}`, headers, ...signal, ...(payload === undefined ? {} : { payload }) };
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Fastify's type lists the methods.
    return (await pick(workers).http.inject({ ...request, method: method as 'GET' })).statusCode;
  } catch {
    return 0;
  }
}

async function createWorld(): Promise<World> {
  const worker = pick(workers);
  const people: Person[] = [];
  for (let n = 0; n < 8; n += 1) people.push(await signUp(worker, `person${n}`));
  const [founder = assert.fail()] = people;
  const send = async (path: string, payload: object) =>
    await worker.http.inject({
      method: 'POST',
      url: `/api/v1${path}`,
      headers: { authorization: `Bearer ${founder.token}` },
      payload,
    });
  const bodies = [{ kind: 'group' }, { kind: 'group' }, { kind: 'channel', is_public: true }];
  const places: string[] = [];
  for (const body of bodies) {
    const made = await send('/conversations', { ...body, title: 'Title', members: [people[1]?.userId] });
    places.push(`/conversations/${made.json<Conversation>().id}`);
  }
  const codes = await Promise.all(
    places.map(async (place) => (await send(`${place}/invites`, {})).json<Invite>().code),
  );
  return { people, places, codes };
}

const endConnection = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name like 'messenger write%' and state <> 'idle' limit 1`;

interface LoggedRow {
  readonly seqs: string;
  readonly seq: string;
  readonly is_counted: boolean;
  /** Unless the last member has left; then the sweeper may have removed the conversation. */
  readonly has_owner: boolean;
}

test('random changes of members by four workers take every number once, in order', async () => {
  const { endpoints } = await database.created;
  const env = { RATE_LIMIT_WRITES: '0', RATE_LIMIT_READS: '0' };
  for (let n = 0; n < 4; n += 1) workers.push(await createTestApp(endpoints, { env, maxOpen: 12 }));
  await database().sql(logChanges);
  const world = await createWorld();
  const statuses: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    const calls = Array.from({ length: 24 }, async (_, n) => call(pick(world.people), randomCall(world), n % 8 === 0));
    if (round % 4 === 0) await database().sql(endConnection);
    statuses.push(...(await Promise.all(calls)));
  }
  const count = (from: number, to: number): number => statuses.filter((one) => one >= from && one < to).length;
  assert.ok(count(200, 300) > 100 && count(400, 500) > 100, `${count(200, 300)} changes, ${count(400, 500)} refusals`);
  assert.equal(statuses.filter((one) => one === 500).length, 0);
  // One change may write two rows: the last member leaves, and the conversation ends.
  const rows = await database().sql<LoggedRow>(
    `select string_agg(logged.seq::text, ',' order by place) as seqs, coalesce(c.seq, max(logged.seq)) as seq,
            c.id is null or member_count = (select count(*) from members where conversation_id = c.id and left_at is null) as is_counted,
            c.id is null or deleted_at is not null or exists (select from members where conversation_id = c.id and left_at is null and role = 'owner') as has_owner
       from (select conversation_id, seq, min(place) as place from logged group by conversation_id, seq, change) as logged
       left join conversations as c on c.id = conversation_id group by conversation_id, c.id`,
  );
  assert.equal(rows.length, 3);
  for (const { seqs, seq, is_counted: isCounted, has_owner: hasOwner } of rows) {
    assert.equal(seqs, Array.from({ length: Number(seq) }, (_, n) => n + 1).join(','));
    assert.ok(isCounted && hasOwner);
  }
});
