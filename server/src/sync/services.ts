import type { Member } from '@messenger/protocol/accounts';
import type { Changes, ChangesQuery } from '@messenger/protocol/changes';
import type { Conversation } from '@messenger/protocol/conversations';
import type { Message, NewMessage } from '@messenger/protocol/messages';
import type { InvalidField, Problem } from '@messenger/protocol/problem';
import type { ReadPosition } from '@messenger/protocol/reading';

import type { Caller } from '../db/caller.ts';
import type { Clock } from '../lib/clock.ts';
import type { SignedIn } from '../lib/signed-in.ts';
import type { AudienceReader } from './audience-reader.ts';
import type { SyncFigures } from '../telemetry/sync-figures.ts';
import type { Coalescer } from './coalescer.ts';
import type { Emitter } from './ephemeral.ts';
import type { Follows } from './follows.ts';
import type { HeadsReader } from './heads-reader.ts';
import type { Person } from './person.ts';
import type { Presence } from './presence.ts';
import type { Stream } from './stream.ts';
import type { Topic } from './topic.ts';

interface Target {
  readonly conversationId: string;
  readonly number: number;
}

/** The use cases that a socket calls: those of REST. */
export interface Domains {
  readonly sessions: {
    /** As `find`, from the database. */
    verify(token: string, caller: Caller): Promise<SignedIn | undefined>;
  };
  readonly accounts: { get(userId: string, caller: Caller): Promise<Member> };
  readonly conversations: { get(id: string, me: string, caller: Caller): Promise<Conversation> };
  readonly changes: {
    read(id: string, query: ChangesQuery, by: SignedIn, caller: Caller): Promise<Changes>;
    readForAll(id: string, after: number, caller: Caller): Promise<Changes>;
  };
  readonly messages: {
    send(
      target: { readonly conversationId: string; readonly messageId: string },
      message: NewMessage,
      by: SignedIn,
      caller: Caller,
    ): Promise<{ readonly message: Message; readonly isRepeat: boolean }>;
  };
  readonly history: {
    edit(target: Target, body: string, by: SignedIn, caller: Caller): Promise<Message>;
    delete(target: Target, by: SignedIn, caller: Caller): Promise<void>;
  };
  readonly reactions: {
    add(target: Target, emoji: string, by: SignedIn, caller: Caller): Promise<void>;
    remove(target: Target, emoji: string, by: SignedIn, caller: Caller): Promise<void>;
  };
  readonly reading: { read(target: Target, by: SignedIn, caller: Caller): Promise<ReadPosition> };
}

/** What REST does for requests, for frames; `http/frame-rules.ts`. */
export interface Rules {
  readonly check: (op: string, frame: object) => readonly InvalidField[] | undefined;
  readonly limit: (group: 'reads' | 'writes', userId: string) => void;
  readonly problemOf: (error: unknown, about: { readonly op: string; readonly requestId: string }) => Problem;
  readonly newRequestId: () => string;
}

/** What the parts of this folder share: one per worker. */
export interface SyncServices extends Domains {
  readonly rules: Rules;
  readonly heads: HeadsReader;
  readonly audience: AudienceReader;
  readonly emitter: Emitter;
  readonly presence: Presence;
  /** Whether a person may say now that it types there. */
  mayType(conversationId: string, userId: string): boolean;
  readonly follows: Follows;
  readonly stream: Stream;
  readonly coalescer: Coalescer;
  readonly figures: SyncFigures;
  readonly clock: Clock;
  /** How long before a commit its rows may have got their time, in milliseconds: a write can last so long. */
  readonly reachMs: number;
  /** How late a standby may be that answers reads, in milliseconds. */
  readonly lagMs: number;
  topic(id: string): Topic;
  person(userId: string): Person;
  findPerson(userId: string): Person | undefined;
  /** Drops what no socket uses. */
  release(unused: Topic | Person): void;
  /** Whose reads cover every commit that was delivered. */
  caller(): Caller;
  /** Runs it again soon, until the worker stops. */
  retry(run: () => Promise<void>): void;
  /** Logs a defect. */
  failed(error: unknown): void;
}
