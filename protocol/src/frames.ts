/**
 * The frames of the socket, `GET /api/v1/socket` with the subprotocol `messenger.v1`: JSON objects as text, one per frame. `op` says which
 * one it is. What a client may send is in `clientFrames`, what a server sends in `serverFrames`; docs/realtime.md is made of both.
 */
import { Type, type Static, type TProperties } from 'typebox';

import { Changes } from './changes.ts';
import { Conversation } from './conversations.ts';
import { presenceUsersMax } from './limits.ts';
import { Body, Count, orNull, PositiveCount } from './messages.ts';
import { Problem } from './problem.ts';
import { Emoji } from './reactions.ts';
import { Id, Timestamp, User } from './users.ts';

/** Names the call in its answer; chosen by the client, unique among its unanswered calls. */
const Ref = Type.String({ minLength: 1, maxLength: 64, description: 'Repeated in the answer: `done` or `refused`' });

const Position = Type.String({
  minLength: 1,
  maxLength: 200,
  description:
    'A moment of the database. A REST request with it in `Consistency-Token` reads nothing older; `hello` with it in `since` gets what changed later',
});

const ConversationId = Type.String({ ...Id, description: 'The conversation' });
const Number = Type.Integer({ ...PositiveCount, description: 'The number of the message' });

const frame = <const Op extends string, Properties extends TProperties>(
  op: Op,
  description: string,
  properties: Properties,
) => Type.Object({ op: Type.Literal(op), ...properties }, { additionalProperties: false, title: op, description });

/** Frames of a client. The first one is `hello`; every one with a `ref` is answered by `done` or `refused`. */
export const clientFrames = {
  hello: frame('hello', 'The first frame: who is speaking. Answered by `welcome`, or by the end of the socket', {
    token: Type.Optional(
      Type.String({ maxLength: 200, description: 'The token of a session; without, the cookie of the upgrade counts' }),
    ),
    since: Type.Optional(Type.String({ ...Position, description: 'The last position that the client holds' })),
  }),
  open: frame('open', 'Follow a conversation: all its changes after `after`, then each one as it happens', {
    ref: Ref,
    conversation_id: ConversationId,
    after: Type.Integer({ ...Count, description: 'The `seq` that the client has; 0 for everything' }),
  }),
  close: frame('close', 'Follow a conversation no more; its `head`s still come', { conversation_id: ConversationId }),
  send: frame('send', 'Send a message. A repeat with the same `id` and content stores nothing twice', {
    ref: Ref,
    conversation_id: ConversationId,
    id: Type.String({ format: 'uuid', description: 'Chosen by the client, for this message alone' }),
    body: Body,
    reply_to: Type.Optional(PositiveCount),
    thread_of: Type.Optional(PositiveCount),
  }),
  edit: frame('edit', 'Replace the text of an own message', {
    ref: Ref,
    conversation_id: ConversationId,
    number: Number,
    body: Body,
  }),
  delete: frame('delete', 'Delete a message', { ref: Ref, conversation_id: ConversationId, number: Number }),
  react: frame('react', 'Add or remove an own reaction', {
    ref: Ref,
    conversation_id: ConversationId,
    number: Number,
    emoji: Emoji,
    on: Type.Boolean({ description: 'Whether the reaction is there afterwards' }),
  }),
  read: frame('read', 'All messages up to this one are read', {
    ref: Ref,
    conversation_id: ConversationId,
    number: Count,
  }),
  typing: frame('typing', 'The caller is typing; ends by itself after six seconds. Not answered', {
    conversation_id: ConversationId,
  }),
  look: frame('look', 'Follow the presence of these people in place of those before; an empty list ends it', {
    user_ids: Type.Array(Id, { maxItems: presenceUsersMax }),
  }),
  away: frame('away', 'Whether the person is away from this client', { away: Type.Boolean() }),
  ping: frame('ping', 'Answered by `pong`', {}),
} as const;

const OwnState = Conversation.properties.me;

/** What all members of a conversation see of it in a list. */
const Head = Type.Object(
  {
    ...Type.Pick(Conversation, [
      'title',
      'about',
      'is_public',
      'edit_window_seconds',
      'seq',
      'last_number',
      'active_at',
      'last_message',
      'member_count',
    ]).properties,
    conversation_id: ConversationId,
  },
  { additionalProperties: false },
);

export const presenceStates = ['online', 'away', 'offline'] as const;

export const Presence = Type.Object(
  {
    user_id: Id,
    state: Type.Enum([...presenceStates]),
    last_seen_at: orNull(Timestamp, 'Of people who are offline; null when it is not known'),
  },
  { title: 'Presence' },
);
export type Presence = Static<typeof Presence>;

const heads = {
  heads: Type.Array(Conversation, { description: 'Conversations of the caller; with `since`, those that changed' }),
  left: Type.Array(Id, { description: 'With `since`: conversations that the caller has left' }),
  complete: Type.Boolean({ description: 'Whether `heads` frames do not follow' }),
};

/** Frames of a server. Clients ignore an `op` or a field that they do not know. */
export const serverFrames = {
  welcome: frame('welcome', 'The answer to `hello`', {
    user: User,
    position: Position,
    whole: Type.Boolean({ description: 'Whether all conversations follow; what is not among them is gone' }),
    ...heads,
    ping_ms: Type.Integer({ description: 'A client that receives nothing for twice this time should connect again' }),
  }),
  heads: frame('heads', 'More of `welcome`', heads),
  joined: frame('joined', 'A conversation that the caller has become a member of', {
    position: Position,
    head: Conversation,
  }),
  head: frame('head', 'The newest state of a conversation that is not open; states between may be left out', {
    position: Position,
    ...Head.properties,
  }),
  me: frame('me', 'What only the caller has in a conversation, after it changed on any device', {
    position: Position,
    conversation_id: ConversationId,
    me: OwnState,
  }),
  left: frame('left', 'The caller is no longer a member, or the conversation is deleted: nothing more comes', {
    position: Position,
    conversation_id: ConversationId,
  }),
  changes: frame(
    'changes',
    'States of an open conversation. `from` is the `to` of the frame before, or there is a gap',
    {
      position: Position,
      ...Changes.properties,
    },
  ),
  done: frame('done', 'The call has succeeded, and its change is on disk', {
    ref: Ref,
    position: Type.Optional(Position),
    number: Type.Optional(Type.Integer({ description: 'Of `send`: the number of the message' })),
    seq: Type.Optional(
      Type.Integer({ description: 'The change that this call made, or that a repeated one had made' }),
    ),
    created_at: Type.Optional(Timestamp),
  }),
  refused: frame('refused', 'The call has failed as the same REST request would', { ref: Ref, problem: Problem }),
  read: frame('read', 'What another member of an open conversation has read', {
    conversation_id: ConversationId,
    user_id: Id,
    number: Count,
  }),
  typing: frame('typing', 'Somebody is typing in a conversation; it ends after six seconds or with a message', {
    conversation_id: ConversationId,
    user_id: Id,
  }),
  presence: frame('presence', 'Of the people of `look`, those whose state is new', { people: Type.Array(Presence) }),
  pong: frame('pong', 'The answer to `ping`', {}),
  slow_down: frame('slow_down', 'Too many frames; the socket ends if this continues', {
    after_ms: Type.Integer({ description: 'Milliseconds to wait' }),
  }),
  bye: frame('bye', 'The last frame before the server closes the socket', {
    code: Type.Integer({ description: 'The close code' }),
    after_ms: Type.Optional(Type.Integer({ description: 'Milliseconds to wait before the next connection' })),
  }),
} as const;

type Frames<Table extends Readonly<Record<string, ReturnType<typeof frame>>>> = {
  readonly [Op in keyof Table]: Static<Table[Op]>;
};
export type ClientFrames = Frames<typeof clientFrames>;
export type ServerFrames = Frames<typeof serverFrames>;
export type ClientFrame = ClientFrames[keyof ClientFrames];
export type ServerFrame = ServerFrames[keyof ServerFrames];
