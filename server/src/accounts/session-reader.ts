import type { Role } from '@messenger/protocol/accounts';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { sessionColumns, type SessionRow } from './session-rows.ts';
import { unbatched } from '../db/unbatched.ts';

/** A valid session, with its account's role. */
export interface FoundSession {
  readonly id: string;
  readonly user_id: string;
  readonly role: Role;
  /** Milliseconds until it expires. */
  readonly left_ms: number;
  /** Whether its last use is to be stored. */
  readonly is_touch_due: boolean;
}

const findSessions = statement<FoundSession & { readonly hash: string }, [hashes: readonly string[]]>(
  'sessions.find',
  `select encode(token_hash, 'hex') as hash, id, user_id, role,
          (extract(epoch from expires_at - now()) * 1000)::float8 as left_ms,
          last_used_at < now() - interval '1 hour' as is_touch_due
     from sessions join accounts using (user_id)
    where token_hash = any (array (select decode(hash, 'hex') from unnest($1::text[]) as hash))
      and expires_at > now() and disabled_at is null`,
);

/** By the hash of the token, in hex. From the primary: a session must not outlive its end on a standby that is behind. */
const find: BatchableRead<string, FoundSession | undefined> = {
  name: 'sessions.find',
  isPrimaryFirst: true,
  isDoubtful: (session) => session === undefined,
  keyOf: (hash) => hash,
  one: async (db, hash) => (await db.query(findSessions, [[hash]]))[0],
  many: async (db, hashes) => {
    const found = new Map((await db.query(findSessions, [hashes])).map((row) => [row.hash, row]));
    return hashes.map((hash) => found.get(hash));
  },
};

const sessionsOfUser = statement<SessionRow, [userId: string]>(
  'sessions.list',
  `select ${sessionColumns} from sessions where user_id = $1 and expires_at > now() order by id desc limit 1000`,
);

const list = unbatched<string, SessionRow[]>({
  name: 'sessions.list',
  isPrimaryFirst: true,
  keyOf: (userId) => userId,
  one: async (db, userId) => db.query(sessionsOfUser, [userId]),
});

/** Reads sessions. Rejects as `Reads` does. */
export class SessionReader {
  readonly find: Read<string, FoundSession | undefined>;
  /** The valid sessions of an account, newest first. */
  readonly list: Read<string, SessionRow[]>;

  constructor(reads: Reads) {
    this.find = reads.prepare(find);
    this.list = reads.prepare(list);
  }
}
