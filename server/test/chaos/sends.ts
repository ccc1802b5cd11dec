import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { Message } from '@messenger/protocol/messages';
import { Value } from 'typebox/value';

import { workersOf, type Run as Server } from '../start-server.ts';
import { waitFor } from '../wait-for.ts';
import { isOk, isRefused, type Client, type Outcome } from './client.ts';
import { findDisorder, keepLog } from './commit-order.ts';
import { endNode, startNode } from './node.ts';
import type { Finding, Run } from './part.ts';
import { pauseReplay } from './pause-replay.ts';
import { insertPeople } from './people.ts';
import { System } from './system.ts';

export interface SendsOptions {
  readonly senders: number;
  readonly conversations: number;
  /**
   * Killed in this order, in equal shares of the reads: the server gives up on processes that crash more than five times without a minute of
   * service.
   */
  readonly victims: readonly ('worker' | 'primary')[];
  /** Reads with a token, by another worker than the write. Fewer within the time are a violation. */
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
  /** One for each server, so that a message can be sent twice at the same moment, to different workers. */
  readonly clients: readonly [Client, Client];
  /** The same; several, to read at the same moment. */
  readonly readers: readonly [readonly Client[], readonly Client[]];
  readonly own: Entry[];
  /** Of the last write, and the server that answered it. */
  token: string | undefined;
  wroteOn: 0 | 1;
}

/** After each write, every reader of the other server reads this often. */
const readRounds = 4;
const readersEach = 4;

const limits = { RATE_LIMIT_READS: '0', RATE_LIMIT_WRITES: '0' };

/**
 * Senders send, repeat, edit, delete and react in a few conversations, through two servers on the same databases with two workers each, while
 * workers and the primary are killed, and the standby's replay is paused. Each message is stored once and each repeat is answered with it (G1); numbers have no gap, and their
 * order is that of the commits in PostgreSQL's log (G2); reads with a token from the other server, mostly from the standby, are never older
 * than the sender's last write.
 */
export async function proveSends(options: SendsOptions, run: Run): Promise<Finding> {
  const system = await System.create(limits);
  let second: Server | undefined;
  try {
    await keepLog(system);
    second = await startNode(await system.endpoint('write'), [await system.endpoint('read')], limits);
    return await new Sends(system, second, options, run).prove();
  } finally {
    if (second !== undefined) await endNode(second);
    await system.destroy();
  }
}

class Sends {
  readonly #system: System;
  readonly #second: Server;
  readonly #options: SendsOptions;
  readonly #run: Run;
  readonly #senders: Sender[] = [];
  readonly #conversations: string[] = [];
  readonly #violations: string[] = [];
  readonly #counts = { sends: 0, repeats: 0, reads: 0, unanswered: 0 };
  #isOver = false;
  #endsAt = 0;

  constructor(system: System, second: Server, options: SendsOptions, run: Run) {
    this.#system = system;
    this.#second = second;
    this.#options = options;
    this.#run = run;
  }

  async prove(): Promise<Finding> {
    await this.#prepare();
    const living = Promise.all(this.#senders.map(async (sender) => this.#live(sender)));
    living.catch(() => undefined);
    const over = new AbortController();
    const pausing = pauseReplay(async (text) => this.#system.sql('read', text), this.#run.random, over.signal);
    pausing.catch(() => undefined);
    const { reads: wanted, seconds, victims } = this.#options;
    this.#endsAt = performance.now() + seconds * 1_000;
    for (const [index, victim] of victims.entries()) {
      await this.#untilReads((wanted * (index + 1)) / (victims.length + 1));
      await this.#kill(victim);
    }
    await this.#untilReads(wanted);
    this.#isOver = true;
    over.abort();
    const pauses = await pausing;
    await living;
    await this.#system.ready();
    for (const sender of this.#senders) await this.#settle(sender);
    await this.#compare();
    this.#violations.push(...(await findDisorder(this.#system)));
    for (const { clients, readers } of this.#senders)
      for (const client of [...clients, ...readers.flat()]) client.close();
    const { sends, repeats, reads, unanswered } = this.#counts;
    if (reads < wanted) this.#violations.push(`${reads} reads in ${seconds} s, not ${wanted}`);
    const figures =
      `${sends} messages, ${repeats} repeats, ${reads} reads with a token from another worker, ${await this.#standbyShare()} % ` +
      `by the standby, ${pauses} pauses of replay, ${victims.length} kills, ${unanswered} without an answer`;
    return { figures: `${figures}, ${this.#violations.length} violations`, violations: this.#violations };
  }

  async #prepare(): Promise<void> {
    const { senders, conversations } = this.#options;
    const { tokens, groups } = await insertPeople(this.#system, senders, conversations);
    this.#conversations.push(...groups);
    const client = (connections: number, url?: string): Client =>
      this.#system.client(connections, this.#run.random, url);
    const { url } = this.#second;
    const readers = (where?: string): Client[] => Array.from({ length: readersEach }, () => client(1, where));
    for (const session of tokens)
      this.#senders.push({
        session,
        clients: [client(3), client(3, url)],
        readers: [readers(), readers(url)],
        own: [],
        token: undefined,
        wroteOn: 0,
      });
  }

  async #untilReads(reads: number): Promise<void> {
    const isOver = (): boolean =>
      this.#run.signal.aborted || this.#violations.length > 0 || performance.now() > this.#endsAt;
    while (!isOver() && this.#counts.reads < reads) await sleep(20);
  }

  async #kill(victim: 'worker' | 'primary'): Promise<void> {
    const { random } = this.#run;
    if (victim === 'worker')
      this.#system.kill([random.pick([...this.#system.workers, ...workersOf(this.#second.pid)])]);
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
      if (entry === undefined || dice < 0.5) await this.#send(sender);
      else if (dice < 0.7) await this.#repeat(sender, entry);
      else if (dice < 0.77) await this.#conflict(sender, entry);
      else if (dice < 0.84) await this.#refused(sender);
      else await this.#change(sender, entry);
      await this.#readBack(sender);
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
    for (const [index, outcome] of outcomes.entries()) {
      if (isOk(outcome)) this.#learn(sender, entry, outcome, places[index] ?? 0);
      else if (!this.#isFault(outcome)) this.#violate(outcome, 'a send was refused');
    }
    return outcomes.some(isOk);
  }

  #learn(sender: Sender, entry: Entry, outcome: Outcome, place: 0 | 1): void {
    const message = Value.Parse(Message, JSON.parse(outcome.body));
    const { number: known } = entry;
    if (message.id !== entry.id) this.#violate(outcome, `the answer for ${entry.id} is another message`);
    if (known !== undefined && message.number !== known) this.#violate(outcome, `${entry.id} had number ${known}`);
    if (!entry.bodies.includes(message.body)) this.#violate(outcome, `${entry.id} has a body that was not written`);
    entry.number = message.number;
    entry.seq = Math.max(entry.seq, message.seq);
    this.#keepToken(sender, outcome, place);
  }

  #keepToken(sender: Sender, { token }: Outcome, place: 0 | 1): void {
    sender.token = token ?? sender.token;
    sender.wroteOn = place;
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
      this.#keepToken(sender, outcome, 0);
      if (kind !== 'react') entry.bodies = [body];
    } else if (isRefused(outcome) && kind !== 'react') entry.bodies.pop();
    entry.isCertain = isOk(outcome) || isRefused(outcome);
  }

  /** With the token of the last write: the newest message, which may just have been sent, and any others. */
  async #readBack(sender: Sender): Promise<void> {
    const { own, readers, wroteOn } = sender;
    for (let round = 0; round < readRounds && !this.#isOver; round += 1)
      await Promise.all(
        readers[wroteOn === 0 ? 1 : 0].map(async (reader, n) => {
          const entry = n === 0 ? own.at(-1) : this.#run.random.pick(own);
          if (entry !== undefined) await this.#read(sender, reader, entry);
        }),
      );
  }

  async #read({ session, token }: Sender, reader: Client, entry: Entry): Promise<void> {
    if (entry.number === undefined) return;
    const path = `/api/v1/conversations/${entry.conversation}/messages?after=${entry.number - 1}&limit=1`;
    const outcome = await reader.call({ method: 'GET', path, session, token });
    if (!isOk(outcome)) {
      if (!this.#isFault(outcome)) this.#violate(outcome, 'a read was refused');
      else await sleep(this.#run.random.between(20, 200));
      return;
    }
    this.#counts.reads += 1;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The checks below find a wrong page.
    const [found] = JSON.parse(outcome.body) as Message[];
    if (found?.id !== entry.id) this.#violate(outcome, `an own message is missing: ${entry.id}`);
    else if (found.seq < entry.seq) this.#violate(outcome, `an own message is older than in change ${entry.seq}`);
    else if (!entry.bodies.includes(found.body)) this.#violate(outcome, 'an own message has another body');
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

  /** Of the reads by the workers that live now, on both servers. */
  async #standbyShare(): Promise<number> {
    const urls = [this.#system.url, this.#second.url];
    const pages = urls.map(async (url) => (await fetch(`${url}/metrics`, { headers: { connection: 'close' } })).text());
    const counts = [
      ...(await Promise.all(pages)).join('').matchAll(/^messenger_reads_total\{answered_by="(\w+)"\} (\d+)/gmu),
    ];
    const sum = (some: typeof counts): number => some.reduce((total, [, , count]) => total + Number(count), 0);
    return Math.round((100 * sum(counts.filter(([, who]) => who?.startsWith('standby')))) / Math.max(1, sum(counts)));
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
