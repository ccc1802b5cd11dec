import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Changes } from '@messenger/protocol/changes';

import type { FeedRow } from '../feed/feed.ts';
import type { Frame } from '../sockets/frame.ts';
import { Coalescer } from './coalescer.ts';
import { Stream } from './stream.ts';
import type { SyncServices } from './services.ts';
import type { SyncSocket } from './sync-socket.ts';
import { Topic } from './topic.ts';

const id = '01a21ee0-e42f-7de9-ad6e-c1bc182d2181';
const at = '2026-11-27 21:20:53.775790+00';

function message(number: number, seq: number, values: Readonly<Record<string, string | null>> = {}): FeedRow {
  const absent = {
    reply_to: null,
    thread_of: null,
    thread_last: null,
    reactions: null,
    pinned_at: null,
    pinned_by: null,
  };
  const some = {
    id,
    sender_id: id,
    body: 'text',
    thread_count: '0',
    mentions: '{}',
    mentions_all: 'f',
    created_at: at,
  };
  const numbers = { number: String(number), changed_seq: String(seq) };
  const all = { conversation_id: id, ...absent, ...some, edited_at: null, deleted_at: null, ...numbers, ...values };
  return { table: 'messages', kind: 'update', values: all };
}

function conversation(seq: number): FeedRow {
  const info = { kind: 'group', title: '', about: '', is_public: 'f', created_by: null, edit_window_seconds: null };
  const last = { last_number: String(seq), last_sender_id: id, last_preview: 'text', active_at: at };
  const counts = { seq: String(seq), info_seq: '1', member_count: '2', deleted_at: null };
  return { table: 'conversations', kind: 'update', values: { id, ...info, created_at: at, ...last, ...counts } };
}

/** A conversation with one socket that holds what is before `held`; the database has everything up to `stored`. */
function follow(held: number, stored: number) {
  const told: Changes[] = [];
  const reads: number[] = [];
  const loads: number[] = [];
  const stream = new Stream();
  const readForAll = async (_: string, from: number): Promise<Changes> => {
    reads.push(from);
    const counts = { last_number: stored, member_count: 2, conversation: null, members: [], messages: [] };
    return { conversation_id: id, from, to: stored, complete: true, ...counts };
  };
  const part = { stream, changes: { readForAll }, coalescer: new Coalescer({ now: () => 0 }), figures: { healed: 0 } };
  const services = { ...part, caller: () => ({}) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The parts that a topic uses here.
  const topic = new Topic(id, services as unknown as SyncServices);
  const state = { held, isLoading: false, wanted: 0 };
  const deliver = (frame: Frame): boolean => {
    const text = frame.bytes.toString('utf8', frame.bytes.indexOf('{'));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was made by the topic.
    told.push(JSON.parse(text) as Changes);
    return true;
  };
  const opened = { load: async () => void loads.push(state.held) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The parts that a topic uses here.
  const socket = { isLive: true, deliver, opened } as unknown as SyncSocket;
  topic.open.set(socket, state);
  topic.loaded(socket, state);
  return { topic, state, socket, told, reads, loads };
}

const ranges = (told: readonly Changes[]): [number, number][] => told.map(({ from, to }) => [from, to]);

test('changes of one commit are one frame, which follows the one before', () => {
  const { topic, told, reads } = follow(4, 0);
  topic.commit([message(1, 5), message(2, 6), conversation(6)]);
  topic.commit([message(1, 7), conversation(7)]);
  assert.deepEqual(ranges(told), [
    [4, 6],
    [6, 7],
  ]);
  assert.deepEqual(
    told[0]?.messages.map(({ number }) => number),
    [1, 2],
  );
  assert.deepEqual(reads, []);
});

test('the last state of a message that changed twice in a commit is sent', () => {
  const { topic, told } = follow(4, 0);
  topic.commit([message(1, 5, { body: 'old' }), message(1, 6, { body: 'new' }), conversation(6)]);
  assert.deepEqual(
    told[0]?.messages.map(({ body, seq }) => [body, seq]),
    [['new', 6]],
  );
});

test('a commit that the socket has already is not sent again', () => {
  const { topic, told } = follow(6, 0);
  topic.commit([message(1, 5), message(2, 6), conversation(6)]);
  assert.deepEqual(told, []);
});

test('a change that came while an `open` was loading is told as a head when the `open` ends', () => {
  const { topic, state, socket, told } = follow(4, 0);
  topic.heads.set(socket, 4);
  state.isLoading = true;
  topic.commit([message(1, 5), conversation(5)]);
  topic.flush();
  assert.deepEqual(told, []);
  topic.closed(socket);
  assert.match(JSON.stringify(told), /"op":"head"[^}]*"seq":5[,}]/u);
});

test('a socket that has closed a conversation is not told a head of what it holds, nor after it has left', () => {
  const { topic, socket, told } = follow(4, 0);
  topic.heads.set(socket, 4);
  topic.commit([message(1, 5), conversation(5)]);
  topic.closed(socket);
  assert.equal(told.length, 1);
  const { topic: left, state, socket: other, told: toldOther } = follow(4, 0);
  state.isLoading = true;
  left.commit([message(1, 5), conversation(5)]);
  left.closed(other);
  assert.deepEqual(toldOther, []);
});

test('a change that the log did not tell is read, not left out', async () => {
  const { topic, told, reads } = follow(4, 7);
  topic.commit([message(1, 7), conversation(7)]);
  await new Promise(setImmediate);
  assert.deepEqual([reads, ranges(told)], [[4], [[4, 7]]]);
  topic.commit([message(1, 8), conversation(8)]);
  assert.deepEqual(ranges(told), [
    [4, 7],
    [7, 8],
  ]);
});

test('a message without its large body is read', async () => {
  const { topic, told, reads } = follow(4, 5);
  const { body: _, ...values } = message(1, 5).values;
  topic.commit([{ table: 'messages', kind: 'update', values }, conversation(5)]);
  await new Promise(setImmediate);
  assert.deepEqual([reads, ranges(told)], [[4], [[4, 5]]]);
});

test('a socket that holds less than the others reads for itself', () => {
  const { topic, told, state, loads } = follow(4, 0);
  topic.commit([message(1, 5), conversation(5)]);
  state.held = 3;
  topic.commit([message(1, 6), conversation(6)]);
  assert.deepEqual([ranges(told), loads], [[[4, 5]], [3]]);
});
