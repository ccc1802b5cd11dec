import type { Member } from '@messenger/protocol/accounts';

import type { BatchableWrite } from '../db/batchable.ts';
import type { SeparateWrites } from '../db/separate-writes.ts';
import { statement, type Queryable } from '../db/statement.ts';
import { sweepSize } from '../db/sweeper.ts';
import type { Write, Writes } from '../db/writes.ts';
import { insert, type NewAccount } from './account-writer.ts';
import { auditEvent } from './audit-events.ts';
import { sessionColumns, type SessionRow } from './session-rows.ts';

/** Days without use after which a session expires, and its maximum age. */
export interface SessionLimits {
  readonly idleDays: number;
  readonly maxDays: number;
}

export interface NewSession {
  readonly userId: string;
  /** The hash that the password was checked against: none is created when it was replaced meanwhile. */
  readonly passwordHash: string;
  /** SHA-256 in hex. */
  readonly tokenHash: string;
  /** The id of a session that ends with it. */
  readonly replaces?: string | undefined;
  readonly userAgent: string;
  readonly address: string;
}

const openSession = statement<
  SessionRow,
  [
    userId: string,
    passwordHash: string,
    tokenHash: string,
    days: number,
    userAgent: string,
    address: string,
    replaces: string | undefined,
  ]
>(
  'sessions.open',
  `with a as (
     select user_id from accounts where user_id = $1 and password_hash = $2 and disabled_at is null for share
   ), opened as (
     insert into sessions (user_id, token_hash, expires_at, user_agent, address)
     select user_id, decode($3, 'hex'), now() + make_interval(days => $4), $5, $6 from a
     returning ${sessionColumns}
   ), noted as (
     ${auditEvent('signed_in', { userId: 'user_id', actor: 'user_id', address: '$6', details: "jsonb_build_object('session_id', id)" })}
       from a, opened
   ), replaced as (
     delete from sessions where id = $7 and exists (select from opened) returning user_id
   ), end_noted as (
     ${auditEvent('sessions_ended', { userId: 'user_id', actor: 'user_id', address: '$6', details: "jsonb_build_object('count', 1)" })}
       from replaced
   )
   select ${sessionColumns} from opened`,
);

interface EndedRow {
  readonly id: string;
}

/** Ends one session of an account, or all but one. */
const endSessions = statement<
  EndedRow,
  [userId: string, ended: string | undefined, kept: string | undefined, address: string | undefined]
>(
  'sessions.end',
  `with ended as (
     delete from sessions where user_id = $1 and case when $2::uuid is null then id <> $3::uuid else id = $2 end returning id
   ), noted as (
     ${auditEvent('sessions_ended', { userId: '$1::uuid', actor: '$1::uuid', address: '$4', details: "jsonb_build_object('count', count(*))" })}
       from ended having count(*) > 0
   )
   select id from ended`,
);

const touchSessions = statement<never, [ids: readonly string[], idleDays: number, maxDays: number]>(
  'sessions.touch',
  `with free as materialized (
     select id from sessions where id = any ($1::uuid[]) for no key update skip locked
   )
   update sessions
      set last_used_at = now(),
          expires_at = least(created_at + make_interval(days => $3), now() + make_interval(days => $2))
     from free where sessions.id = free.id`,
);

function touch({ idleDays, maxDays }: SessionLimits): BatchableWrite<string, void> {
  const many = async (db: Queryable, ids: readonly string[]): Promise<void[]> => {
    await db.query(touchSessions, [ids, idleDays, maxDays]);
    return ids.map(() => undefined);
  };
  return {
    name: 'sessions.touch',
    one: async (db, id) => {
      await many(db, [id]);
    },
    many,
  };
}

export interface EndedSession {
  readonly userId: string;
  readonly id: string;
  readonly address: string;
}

const sweep = statement<EndedRow>(
  'sessions.sweep',
  `delete from sessions where id = any (array (
     select id from sessions where expires_at <= now() order by expires_at limit ${sweepSize} for update skip locked
   )) returning id`,
);

/** Removes expired sessions. */
export async function sweepSessions(tx: Queryable): Promise<number> {
  return (await tx.query(sweep, [])).length;
}

/** Writes sessions. Rejects as `Writes` does. */
export class SessionWriter {
  /** Resolves with undefined when the username is taken. */
  readonly signUp: Write<{ readonly account: NewAccount; readonly session: NewSession }, SignUpRows | undefined>;
  /** Resolves with undefined when the account was disabled, deleted, or given another password meanwhile. */
  readonly open: Write<NewSession, SessionRow | undefined>;
  /** Resolves with whether the session existed. */
  readonly end: Write<EndedSession, boolean>;
  readonly endOthers: Write<EndedSession, void>;
  /** Stores that sessions are used. Rows locked by another transaction are left out. */
  readonly touch: Write<string, void>;

  constructor(writes: Writes, separate: SeparateWrites, limits: SessionLimits) {
    const open = async (db: Queryable, call: NewSession): Promise<SessionRow | undefined> => {
      const { userId, passwordHash, tokenHash, userAgent, address, replaces } = call;
      const days = Math.min(limits.idleDays, limits.maxDays);
      return (await db.query(openSession, [userId, passwordHash, tokenHash, days, userAgent, address, replaces]))[0];
    };
    this.signUp = separate.prepare(async (db, call) => {
      const [member, session] = await Promise.all([insert(db, call.account), open(db, call.session)]);
      return member && session && { member, session };
    });
    this.open = separate.prepare(open);
    this.end = separate.prepare(
      async (db, { userId, id, address }) => (await db.query(endSessions, [userId, id, undefined, address])).length > 0,
    );
    this.endOthers = separate.prepare(async (db, { userId, id, address }) => {
      await db.query(endSessions, [userId, undefined, id, address]);
    });
    this.touch = writes.prepare(touch(limits));
  }
}

interface SignUpRows {
  readonly member: Member;
  readonly session: SessionRow;
}
