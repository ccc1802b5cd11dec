/**
 * Every route of a conversation, called by people of every role in every kind of conversation, and by people who are no members. The expected
 * answers follow from the table of rights in the protocol. A route that is missing here fails.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import {
  actions,
  conversationKinds,
  isAbove,
  mayDo,
  rankOf,
  rolesOf,
  type Action,
  type ConversationKind,
  type MemberRole,
} from '@messenger/protocol/rights';

import { useApp } from './app.ts';
import { signUp, type Client } from './clients.ts';
import { useDatabase } from './database.ts';

const database = useDatabase();
const limits = { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' };
const app = useApp(database, { env: limits });

/** What a route needs: a right, or a rule that is no right of a role. */
type Rule = Action | ((kind: ConversationKind, role: MemberRole) => boolean);

interface Route {
  readonly needs: Rule;
  readonly body?: object;
  /** Of the answer to those who may. */
  readonly status: number;
  /** Number of a message: 1 is that of another person, 2 is an own one. */
  readonly message?: number;
}

const other = 1;
const own = 2;
const like = encodeURIComponent('👍');
const never: Rule = () => false;

/** By method and path below that of the conversation. */
const routes: Readonly<Record<string, readonly Route[]>> = {
  'GET ': [{ needs: 'read', status: 200 }],
  'PATCH ': [{ needs: 'edit_conversation', body: { title: 'New' }, status: 200 }],
  'DELETE ': [{ needs: 'delete_conversation', status: 204 }],
  'PUT /settings': [{ needs: 'read', body: { pinned: true }, status: 200 }],
  'GET /members': [{ needs: 'read', status: 200 }],
  'POST /members': [{ needs: 'add_members', body: { user_ids: [randomUUID()] }, status: 200 }],
  'PATCH /members/:user_id': [{ needs: 'change_roles', body: { role: 'member' }, status: 200 }],
  'DELETE /members/:user_id': [{ needs: 'remove_members', status: 204 }],
  'PUT /members/me': [{ needs: 'read', status: 200 }],
  'DELETE /members/me': [{ needs: 'leave', status: 204 }],
  'GET /bans': [{ needs: 'ban_members', status: 200 }],
  'PUT /bans/:user_id': [{ needs: 'ban_members', status: 204 }],
  'DELETE /bans/:user_id': [{ needs: 'ban_members', status: 204 }],
  'GET /invites': [{ needs: 'invite', status: 200 }],
  'POST /invites': [{ needs: 'invite', body: {}, status: 201 }],
  'DELETE /invites/:code': [{ needs: 'invite', status: 204 }],
  'GET /messages': [{ needs: 'read', status: 200 }],
  'POST /messages': [{ needs: 'send', body: { body: 'Hello' }, status: 201 }],
  'PUT /messages/:message': [{ needs: 'send', body: { body: 'Hello' }, status: 201 }],
  'GET /messages/:message': [{ needs: 'read', message: other, status: 200 }],
  'PATCH /messages/:message': [
    { needs: 'read', message: own, body: { body: 'Edited' }, status: 200 },
    { needs: never, message: other, body: { body: 'Edited' }, status: 200 },
  ],
  'DELETE /messages/:message': [
    { needs: 'read', message: own, status: 204 },
    { needs: 'delete_messages', message: other, status: 204 },
  ],
  'GET /messages/:message/revisions': [
    { needs: 'read', message: own, status: 200 },
    { needs: 'delete_messages', message: other, status: 200 },
  ],
  'GET /messages/:message/thread': [{ needs: 'read', message: other, status: 200 }],
  'GET /messages/:message/readers': [{ needs: (kind) => kind !== 'channel', message: other, status: 200 }],
  'GET /messages/:message/reactions': [{ needs: 'read', message: other, status: 200 }],
  'PUT /messages/:message/reactions/:emoji': [{ needs: 'react', message: other, status: 204 }],
  'DELETE /messages/:message/reactions/:emoji': [{ needs: 'react', message: other, status: 204 }],
  'PUT /messages/:message/pin': [{ needs: 'pin', message: other, status: 204 }],
  'DELETE /messages/:message/pin': [{ needs: 'pin', message: other, status: 204 }],
  'GET /pins': [{ needs: 'read', status: 200 }],
  'GET /changes': [{ needs: 'read', status: 200 }],
  'PUT /read': [{ needs: 'read', body: { number: 1 }, status: 200 }],
  'PUT /unread': [{ needs: 'read', body: { number: 1 }, status: 200 }],
};

const outsiders = ['stranger', 'former', 'banned'] as const;
type Actor = MemberRole | (typeof outsiders)[number];

function isMember(actor: Actor): actor is MemberRole {
  return actor !== 'stranger' && actor !== 'former' && actor !== 'banned';
}

/** Direct conversations have no former members. */
function actorsOf(kind: ConversationKind): readonly Actor[] {
  return [...rolesOf[kind], ...(kind === 'direct' ? (['stranger'] as const) : outsiders)];
}

const people = new Map<string, Client>();

function clientOf(name: string): Client {
  return people.get(name) ?? assert.fail(name);
}

interface Case {
  readonly id: string;
  readonly kind: ConversationKind;
  readonly actor: Actor;
  /** Of the person that the actor acts on. */
  readonly targetRole: MemberRole;
}

const leastOf = (kind: ConversationKind): MemberRole => rolesOf[kind].at(-1) ?? 'member';

function casesOf(kinds: readonly ConversationKind[]): Case[] {
  return kinds.flatMap((kind) =>
    actorsOf(kind).map((actor) => ({ id: randomUUID(), kind, actor, targetRole: leastOf(kind) })),
  );
}

interface MemberRow {
  readonly id: string;
  readonly user: string;
  readonly role: MemberRole;
  readonly left?: boolean;
  readonly banned?: boolean;
}

/** Besides actor and target, another owner, who keeps the conversation alive. In direct ones, the target alone, or two others. */
function membersOf({ id, kind, actor, targetRole }: Case): MemberRow[] {
  const target = { id, user: 'target', role: targetRole };
  const least = leastOf(kind);
  const founder: MemberRow[] =
    kind !== 'direct'
      ? [{ id, user: 'founder', role: 'owner' }]
      : isMember(actor)
        ? []
        : [{ id, user: 'founder', role: least }];
  if (isMember(actor)) return [target, ...founder, { id, user: actor, role: actor }];
  if (actor === 'stranger') return [target, ...founder];
  return [target, ...founder, { id, user: actor, role: least, left: true, banned: actor === 'banned' }];
}

/** A conversation for each case, with two messages and an invite whose code is the id. */
async function insertAll(cases: readonly Case[]): Promise<void> {
  await database().sql(
    `insert into conversations (id, kind, member_count, seq, last_number)
     select id, kind, 3, 5, 2 from unnest($1::uuid[], $2::text[]) as given (id, kind)`,
    [cases.map(({ id }) => id), cases.map(({ kind }) => kind)],
  );
  const rows = cases.flatMap(membersOf);
  await database().sql(
    `insert into members (conversation_id, user_id, role, left_at, banned_at, listed_at, changed_seq)
     select id, user_id, role, case when has_left then now() end, case when banned then now() end, now(), 1
       from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::bool[]) as given (id, user_id, role, has_left, banned)`,
    [
      rows.map(({ id }) => id),
      rows.map(({ user }) => clientOf(user).userId),
      rows.map(({ role }) => role),
      rows.map(({ left }) => left === true),
      rows.map(({ banned }) => banned === true),
    ],
  );
  await database().sql(
    `with given as (
       select * from unnest($1::uuid[], $2::uuid[]) as given (id, actor_id)
     ), sent as (
       insert into messages (conversation_id, number, id, sender_id, body, sent_hash, changed_seq)
       select id, number, gen_random_uuid(), case number when ${own} then actor_id else $3 end, 'Hello', '', number
         from given cross join (values (${other}), (${own})) as numbers (number)
     )
     insert into invites (code, conversation_id, role, created_by) select id::text, id, 'member', $3 from given`,
    [cases.map(({ id }) => id), cases.map(({ actor }) => clientOf(actor).userId), clientOf('target').userId],
  );
}

function isPermitted(needs: Rule, kind: ConversationKind, role: MemberRole): boolean {
  return typeof needs === 'string' ? mayDo(needs, kind, role) : needs(kind, role);
}

function expectedOf({ needs, status }: Route, { kind, actor }: Case): string {
  if (!isMember(actor)) return '404 conversation_not_found';
  return isPermitted(needs, kind, actor) ? String(status) : '403 not_permitted';
}

/** The outcome of a route in a case. */
async function callRoute(name: string, { body, message }: Route, { id, actor }: Case): Promise<string> {
  const [method = '', below = ''] = name.split(' ');
  const path = below
    .replace(':message', message === undefined ? randomUUID() : String(message))
    .replace(':user_id', clientOf('target').userId)
    .replace(':emoji', like)
    .replace(':code', id);
  const query = below === '/changes' ? '?after=0' : '';
  return await clientOf(actor).outcome(method, `/conversations/${id}${path}${query}`, body);
}

test('people sign up', async () => {
  for (const name of ['founder', 'target', 'owner', 'admin', 'member', 'reader', ...outsiders])
    people.set(name, await signUp(app(), name));
});

test('the table has every route of a conversation', () => {
  const prefix = '/api/v1/conversations/:conversation_id';
  const known = app().routes.flatMap((line) => {
    const [, methods = '', path = ''] = /^(.*) (\S+)$/u.exec(line) ?? [];
    return path.startsWith(prefix) ? methods.split(', ').map((method) => `${method} ${path.slice(prefix.length)}`) : [];
  });
  assert.ok(known.length > 30);
  assert.deepEqual(Object.keys(routes).toSorted(), known.toSorted());
});

test('every right is needed by a route', () => {
  const needed = new Set(Object.values(routes).flatMap((list) => list.map(({ needs }) => needs)));
  // A mention of everybody that is not permitted is sent as text.
  assert.deepEqual(
    actions.filter((action) => !needed.has(action)),
    ['mention_all'],
  );
});

for (const [name, list] of Object.entries(routes))
  for (const route of list)
    test(`${name} ${route.message === own ? '(own message) ' : ''}is for those who have the right`, async () => {
      const cases = casesOf(conversationKinds);
      await insertAll(cases);
      await database().replicated();
      for (const one of cases)
        assert.equal(await callRoute(name, route, one), expectedOf(route, one), `${one.kind} ${one.actor}`);
    });

interface Deed {
  readonly name: string;
  readonly needs: Action;
  readonly given?: MemberRole;
}

function deedsIn(kind: ConversationKind): readonly Deed[] {
  return [
    { name: 'DELETE /members/:user_id', needs: 'remove_members' },
    { name: 'PUT /bans/:user_id', needs: 'ban_members' },
    ...rolesOf[kind].map((given) => ({ name: 'PATCH /members/:user_id', needs: 'change_roles' as const, given })),
  ];
}

/** Of an actor that has the right: who may be acted on, and which role may be given. */
function isInReach(actor: MemberRole, targetRole: MemberRole, given: MemberRole | undefined): boolean {
  return isAbove(actor, targetRole) && (given === undefined || rankOf(actor) <= rankOf(given));
}

test('members act on people below their own role, owners also on owners, and give at most their own role', async () => {
  for (const kind of ['group', 'channel'] as const)
    for (const deed of deedsIn(kind)) {
      const cases = rolesOf[kind].flatMap((actor) =>
        rolesOf[kind].map((targetRole) => ({ id: randomUUID(), kind, actor, targetRole })),
      );
      await insertAll(cases);
      for (const one of cases) {
        const { actor, targetRole } = one;
        const may = mayDo(deed.needs, kind, actor) && isInReach(actor, targetRole, deed.given);
        const status = deed.given === undefined ? 204 : 200;
        const route = {
          needs: deed.needs,
          status,
          ...(deed.given === undefined ? {} : { body: { role: deed.given } }),
        };
        const expected = may ? String(status) : '403 not_permitted';
        assert.equal(
          await callRoute(deed.name, route, one),
          expected,
          `${deed.name} ${deed.given ?? ''} ${kind}: ${actor} on ${targetRole}`,
        );
      }
    }
});
