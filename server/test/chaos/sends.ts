import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { Message } from '@messenger/protocol/messages';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { createToken, hashToken } from '../../src/accounts/session-token.ts';
import { waitFor } from '../wait-for.ts';
import { isOk, isRefused, type Client, type Outcome } from './client.ts';
import { findDisorder, keepLog } from './commit-order.ts';
import type { Finding, Run } from './part.ts';
import { System } from './system.ts';

export interface SendsOptions {
  readonly senders: number;
  readonly conversations: number;
  /** Killed in this order, one after the other, under load. */
  readonly victims: readonly ('worker' | 'primary')[];
  /** The load lasts until then, at least until the last kill is over. */
  readonly reads: number;
  readonly seconds: number;
}

/** What a sender knows of one of its messages. */
interface Entry {
  readonly conversation: string;
  readonly id: string;
  readonly text: string;
  /** Undefined while no answer has said that it is stored. */
  number: number | undefined;
  /** The state that an answer had last. */
  seq: number;
  /** The bodies that it may have: more than one after an edit without an answer; none after a deletion, or one that may have happened. */
  bodies: (string | undefined)[];
  /** Whether an edit or a deletion is possible: its outcome is known. */
  isCertain: boolean;
}

interface Sender {
  readonly session: string;
  /** Two clients, so that a message can be sent twice at the same moment. */
  readonly clients: readonly [Client, Client];
  readonly own: Entry[];
  token: string | undefined;
}

/**
 * Senders send, repeat, edit, delete and react in a few conversations through several workers, while workers and the primary are killed. Each
 * message is stored once and each repeat is answered with it (G1); numbers have no gap, and their order is that of the commits in PostgreSQL's
 * log (G2); reads with a token, mostly by the standby, are never older than the sender's last write (G4).
 */
export async function proveSends(options: SendsOptions, run: Run): Promise<Finding> {
  const system = await System.create({ RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' });
  try {
    await keepLog(system);
    return await new Sends(system, options, run).prove();
  } finally {
    await system.destroy();
  }
}

class Sends {
  readonly #system: System;
  readonly #options: SendsOptions;
  readonly #run: Run;
  readonly #senders: Sender[] = [];
  readonly #conversations: string[] = [];
  readonly #violations: string[] = [];
  readonly #counts = { sends: 0, repeats: 0, reads: 0, unanswered: 0 };
  #isOver = false;

  constructor(system: System, options: SendsOptions, run: Run) {
    this.#system = system;
    this.#options = options;
    this.#run = run;
  }

  async prove(): Promise<Finding> {
    await this.#prepare();
    const living = Promise.all(this.#senders.map(async (sender) => this.#live(sender)));
    living.catch(() => undefined);
    const until = performance.now() + this.#options.seconds * 1_000;
    for (const victim of this.#options.victims) await this.#kill(victim);
    while (!this.#run.signal.aborted && performance.now() < until && this.#counts.reads < this.#options.reads)
      await sleep(100);
    this.#isOver = true;
    await living;
    await this.#system.ready();
    for (const sender of this.#senders) await this.#settle(sender);
    await this.#compare();
    this.#violations.push(...(await findDisorder(this.#system)));
    for (const { clients } of this.#senders) for (const client of clients) client.close();
    const { sends, repeats, reads, unanswered } = this.#counts;
    const figures = `${sends} messages, ${repeats} repeats, ${reads} reads with a token, ${this.#options.victims.length} kills, ${unanswered} without an answer`;
    return { figures: `${figures}, ${this.#violations.length} violations`, violations: this.#violations };
  }

  async #prepare(): Promise<void> {
    const sessions = Array.from({ length: this.#options.senders }, createToken);
    await this.#system.sql(
      'write',
      `with given as (select uuidv7() as id, decode(hash, 'hex') as hash from unnest($1::text[]) as g (hash)),
       u as (insert into users (id, first_name, last_name, has_account) select id, 'a', 'b', true from given),
       a as (
         insert into accounts (user_id, username, password_hash, search_name, search_last_name)
         select id, 'u' || substr(md5(id::text), 1, 12), '', 'a b', 'b' from given returning user_id
       ), c as (
         insert into conversations (kind, title, member_count) select 'group', 't', $2 from generate_series(1, $3) returning id
       ), m as (
         insert into members (conversation_id, user_id, role, listed_at, changed_seq)
         select c.id, g.id, 'member', date_bin('1 hour', now(), 'epoch'), 0 from c cross join given g
       )
       insert into sessions (user_id, token_hash, expires_at, user_agent, address)
       select g.id, hash, now() + interval '1 day', '', '' from given g join a on user_id = g.id`,
      [sessions.map(hashToken), this.#options.senders, this.#options.conversations],
    );
    const rows = await this.#system.sql<{ id: string }>('write', 'select id from conversations');
    this.#conversations.push(...rows.map(({ id }) => id));
    await this.#system.replicated();
    const client = (): Client => this.#system.client(3, this.#run.random);
    for (const session of sessions)
      this.#senders.push({ session, clients: [client(), client()], own: [], token: undefined });
  }

  async #kill(victim: 'worker' | 'primary'): Promise<void> {
    const { random } = this.#run;
    await sleep(random.between(300, 1_500));
    if (victim === 'worker') this.#system.kill([random.pick(this.#system.workers)]);
    else this.#system.kill(this.#system.databaseProcesses('write'));
    await this.#system.ready();
    const { sends } = this.#counts;
    await waitFor('sends after the kill', () => this.#isOver || this.#counts.sends > sends, 60_000);
  }

  async #live(sender: Sender): Promise<void> {
    const { random } = this.#run;
    while (!this.#isOver && this.#violations.length < 20) {
      const dice = random.next();
      const entry = sender.own.length > 0 ? random.pick(sender.own) : undefined;
      if (entry === undefined || dice < 0.35) await this.#send(sender);
      else if (dice < 0.5) await this.#repeat(sender, entry);
      else if (dice < 0.55) await this.#conflict(sender, entry);
      else if (dice < 0.6) await this.#refused(sender);
      else if (dice < 0.68) await this.#change(sender, entry);
      else await this.#readBack(sender, entry);
    }
  }

  async #send(sender: Sender): Promise<void> {
    const id = randomUUID();
    const text = `text ${id}`;
    const conversation = this.#run.random.pick(this.#conversations);
    const entry: Entry = { conversation, id, text, number: undefined, seq: 0, bodies: [text], isCertain: true };
    sender.own.push(entry);
    this.#counts.sends += 1;
    await this.#put(sender, entry, this.#run.random.chance(0.3) ? [0, 1] : [0]);
  }

  async #repeat(sender: Sender, entry: Entry): Promise<void> {
    this.#counts.repeats += 1;
    await this.#put(sender, entry, this.#run.random.chance(0.3) ? [0, 1] : [1]);
  }

  /** Sends it on each of these clients at the same moment. Resolves with whether one of them got the stored message. */
  async #put(sender: Sender, entry: Entry, places: readonly (0 | 1)[]): Promise<boolean> {
    const { session, clients } = sender;
    const request = {
      method: 'PUT',
      path: pathOf(entry),
      body: JSON.stringify({ body: entry.text }),
      session,
    } as const;
    const outcomes = await Promise.all(places.map(async (place) => clients[place].call(request)));
    if (outcomes.filter(({ status }) => status === 201).length > 1)
      this.#violations.push(`${entry.id} was stored twice`);
    for (const outcome of outcomes) {
      if (isOk(outcome)) this.#learn(sender, entry, outcome);
      else if (!this.#isFault(outcome)) this.#violate(outcome, 'a send was refused');
    }
    return outcomes.some(isOk);
  }

  #learn(sender: Sender, entry: Entry, outcome: Outcome): void {
    const message = Value.Parse(Message, JSON.parse(outcome.body));
    const { number: known } = entry;
    if (message.id !== entry.id) this.#violate(outcome, `the answer for ${entry.id} is another message`);
    if (known !== undefined && message.number !== known) this.#violate(outcome, `${entry.id} had number ${known}`);
    if (!entry.bodies.includes(message.body)) this.#violate(outcome, `${entry.id} has a body that was not written`);
    entry.number = message.number;
    entry.seq = Math.max(entry.seq, message.seq);
    sender.token = outcome.token ?? sender.token;
  }

  async #conflict({ session, clients: [client] }: Sender, entry: Entry): Promise<void> {
    if (entry.number === undefined) return;
    const body = JSON.stringify({ body: 'something else' });
    const outcome = await client.call({ method: 'PUT', path: pathOf(entry), body, session });
    if (this.#isFault(outcome)) return;
    if (outcome.status !== 409) this.#violate(outcome, 'other content with a taken id was accepted');
    if (outcome.body.includes(entry.text)) this.#violate(outcome, 'a refusal told the stored text');
  }

  /** Takes no number. */
  async #refused({ session, clients: [client] }: Sender): Promise<void> {
    const where = this.#run.random.chance(0.5) ? this.#run.random.pick(this.#conversations) : randomUUID();
    const body = JSON.stringify({ body: 'x', reply_to: 1_000_000_000 });
    const path = `/api/v1/conversations/${where}/messages/${randomUUID()}`;
    const outcome = await client.call({ method: 'PUT', path, body, session });
    if (!this.#isFault(outcome) && outcome.status !== 404) this.#violate(outcome, 'a reply to nothing was accepted');
  }

  async #change(sender: Sender, entry: Entry): Promise<void> {
    if (entry.number === undefined || !entry.isCertain || entry.bodies.includes(undefined)) return;
    const { random } = this.#run;
    const { session, clients } = sender;
    const path = `/api/v1/conversations/${entry.conversation}/messages/${entry.number}`;
    const dice = random.next();
    const kind = dice < 0.5 ? 'edit' : dice < 0.7 ? 'delete' : 'react';
    const body = kind === 'edit' ? `edited ${randomUUID()}` : undefined;
    if (kind !== 'react') entry.bodies.push(body);
    entry.isCertain = false;
    const outcome = await clients[0].call(
      kind === 'edit'
        ? { method: 'PATCH', path, body: JSON.stringify({ body }), session }
        : kind === 'delete'
          ? { method: 'DELETE', path, session }
          : { method: 'PUT', path: `${path}/reactions/%F0%9F%91%8D`, session },
    );
    if (isOk(outcome)) {
      sender.token = outcome.token ?? sender.token;
      if (kind !== 'react') entry.bodies = [body];
    } else if (isRefused(outcome) && kind !== 'react') entry.bodies.pop();
    entry.isCertain = isOk(outcome) || isRefused(outcome);
  }

  /** With the token of the own last write, mostly on another worker. */
  async #readBack({ session, clients, token }: Sender, entry: Entry): Promise<void> {
    if (entry.number === undefined) return;
    const path = `/api/v1/conversations/${entry.conversation}/messages?after=${entry.number - 1}&limit=1`;
    const outcome = await clients[1].call({ method: 'GET', path, session, token });
    if (!isOk(outcome)) {
      if (!this.#isFault(outcome)) this.#violate(outcome, 'a read was refused');
      return;
    }
    this.#counts.reads += 1;
    const [found] = Value.Parse(Type.Array(Message), JSON.parse(outcome.body));
    if (found?.id !== entry.id) this.#violate(outcome, `an own message is missing: ${entry.id}`);
    else if (found.seq < entry.seq) this.#violate(outcome, `an own message is older than in change ${entry.seq}`);
    else if (!entry.bodies.includes(found.body)) this.#violate(outcome, 'an own message has another body');
    else entry.seq = found.seq;
  }

  /** Every message that was not answered is sent again until it is. */
  async #settle(sender: Sender): Promise<void> {
    for (const entry of sender.own)
      if (entry.number === undefined)
        await waitFor('the answer of a repeated send', async () => this.#put(sender, entry, [0]), 30_000);
  }

  /** The table has each message once, as answered, and nothing else. */
  async #compare(): Promise<void> {
    const rows = await this.#system.sql<Pick<Message, 'conversation_id' | 'number' | 'id'> & { body: string | null }>(
      'write',
      `select conversation_id, number::float8, id, case when deleted_at is null then body end as body from messages`,
    );
    const stored = new Map(rows.map((row) => [row.id, row]));
    const sent = this.#senders.flatMap(({ own }) => own);
    if (rows.length !== sent.length)
      this.#violations.push(`${sent.length} messages were sent, and ${rows.length} are stored`);
    for (const { id, number, bodies, conversation } of sent) {
      const row = stored.get(id);
      const isRight =
        row?.conversation_id === conversation && row.number === number && bodies.includes(row.body ?? undefined);
      if (!isRight) this.#violations.push(`message ${id} is stored otherwise than answered`);
    }
  }

  /** No answer, or one that kills and overload explain. */
  #isFault({ status }: Outcome): boolean {
    const isFault = status === 0 || status === 503 || status === 504;
    if (isFault) this.#counts.unanswered += 1;
    return isFault;
  }

  #violate({ request, status, body, worker }: Outcome, what: string): void {
    this.#violations.push(
      `${request.method} ${request.path} (${status}, worker ${worker}): ${what}: ${body.slice(0, 200)}`,
    );
  }
}

function pathOf({ conversation, id }: Entry): string {
  return `/api/v1/conversations/${conversation}/messages/${id}`;
}
