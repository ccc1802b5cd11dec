import type { Conversation, ConversationPatch, ConversationSettings } from '@messenger/protocol/conversations';
import { roleOfNewcomers } from '@messenger/protocol/rights';

import type { SeparateWrites } from '../db/separate-writes.ts';
import type { Queryable } from '../db/statement.ts';
import type { Write } from '../db/writes.ts';
import type { ViewCall } from './conversation-reader.ts';
import { toConversation, type ConversationRow } from './conversation-rows.ts';
import {
  deleteConversation,
  insertConversation,
  insertDirect,
  updateConversation,
  updateSettings,
  view,
  viewDirect,
} from './conversation-statements.ts';
import { lockConversation, type Outcome } from './verdicts.ts';

export interface DirectCall {
  readonly me: string;
  readonly other: string;
}

export interface NewConversation extends ViewCall {
  readonly kind: 'group' | 'channel';
  readonly title: string;
  readonly about: string;
  readonly isPublic: boolean;
  readonly members: readonly string[];
}

/** A conversation as the caller sees it after a call, undefined when it does not, and whether the call made it. */
export interface Made {
  readonly conversation: Conversation | undefined;
  readonly isNew: boolean;
  /** Why it was not made. */
  readonly outcome: Outcome;
}

/** `place` is that of the refused member in the call, from 0. */
export interface MadeWithMembers extends Made {
  readonly place: number;
}

export interface Changed {
  readonly outcome: Outcome;
  /** As the caller sees it after the change. */
  readonly conversation: Conversation | undefined;
}

function first(rows: readonly ConversationRow[]): Conversation | undefined {
  return rows.map(toConversation)[0];
}

async function openDirect(db: Queryable, { me, other }: DirectCall): Promise<Made> {
  const [[row], seen] = await Promise.all([db.query(insertDirect, [me, other]), db.query(viewDirect, [me, other])]);
  return { conversation: first(seen), isNew: typeof row?.made === 'string', outcome: row?.outcome ?? 'done' };
}

async function create(db: Queryable, call: NewConversation): Promise<MadeWithMembers> {
  const { id, me, kind, title, about, isPublic, members } = call;
  const values = [id, me, kind, title, about, isPublic, members, roleOfNewcomers[kind]] as const;
  const [[row], seen] = await Promise.all([db.query(insertConversation, [...values]), db.query(view, [id, me])]);
  const outcome = row?.refused ?? 'done';
  return { conversation: first(seen), isNew: typeof row?.made === 'string', outcome, place: (row?.place ?? 1) - 1 };
}

async function change(db: Queryable, call: ViewCall & { readonly patch: ConversationPatch }): Promise<Changed> {
  const { id, me, patch } = call;
  const { title, about, is_public: isPublic, edit_window_seconds: window } = patch;
  const [, [row], seen] = await Promise.all([
    db.query(lockConversation, [id]),
    db.query(updateConversation, [id, me, title, about, isPublic, window !== undefined, window ?? undefined]),
    db.query(view, [id, me]),
  ]);
  return { outcome: row?.outcome ?? 'conversation_not_found', conversation: first(seen) };
}

async function remove(db: Queryable, { id, me }: ViewCall): Promise<Outcome | undefined> {
  const [, [row]] = await Promise.all([db.query(lockConversation, [id]), db.query(deleteConversation, [id, me])]);
  return row?.outcome;
}

type SettingsCall = ViewCall & { readonly settings: ConversationSettings };

async function configure(db: Queryable, { id, me, settings }: SettingsCall): Promise<Conversation | undefined> {
  const { muted_until: until, pinned, archived } = settings;
  const [, seen] = await Promise.all([
    db.query(updateSettings, [id, me, until !== undefined, until ?? undefined, pinned, archived]),
    db.query(view, [id, me]),
  ]);
  return first(seen);
}

/** Writes conversations. Each change holds the lock of the conversation, and checks rights under it. Rejects as `Pool` does. */
export class ConversationWriter {
  readonly openDirect: Write<DirectCall, Made>;
  readonly create: Write<NewConversation, MadeWithMembers>;
  readonly change: Write<ViewCall & { readonly patch: ConversationPatch }, Changed>;
  readonly remove: Write<ViewCall, Outcome | undefined>;
  /** Resolves with undefined for everybody but members. */
  readonly configure: Write<SettingsCall, Conversation | undefined>;

  constructor(writes: SeparateWrites) {
    this.openDirect = writes.prepare(openDirect);
    this.create = writes.prepare(create);
    this.change = writes.prepare(change);
    this.remove = writes.prepare(remove);
    this.configure = writes.prepare(configure);
  }
}
