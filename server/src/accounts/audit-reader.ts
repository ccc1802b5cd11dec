import type { AuditEvent, AuditKind } from '@messenger/protocol/audit';

import type { BatchableRead } from '../db/batchable.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement, type Queryable } from '../db/statement.ts';
import type { PageCursor } from '../lib/page-cursor.ts';

export interface AuditPageCall {
  readonly limit: number;
  readonly after: PageCursor | undefined;
  readonly userId: string | undefined;
  readonly kind: AuditKind | undefined;
}

type Values = readonly [limit: number, at: string, id: string, kind: string, userId?: string];

const columns = 'id, at, kind, user_id, actor_id, address, details';

/** Where the first page begins. */
const newest: PageCursor = { createdAt: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/** An empty kind stands for all: a filter costs a scan of newer events, which `AUDIT_DAYS` bounds. */
const pageOfAll = statement<AuditEvent, Values>(
  'audit.page',
  `select ${columns} from audit where (at, id) < ($2, $3) and ($4 = '' or kind = $4)
    order by at desc, id desc limit $1`,
);

const pageOfUser = statement<AuditEvent, Values>(
  'audit.page_of_user',
  `select ${columns} from audit where user_id = $5 and (at, id) < ($2, $3) and ($4 = '' or kind = $4)
    order by at desc, id desc limit $1`,
);

async function findPage(db: Queryable, { limit, after = newest, userId, kind }: AuditPageCall): Promise<AuditEvent[]> {
  const values = [limit, after.createdAt, after.id, kind ?? ''] as const;
  return userId === undefined ? db.query(pageOfAll, values) : db.query(pageOfUser, [...values, userId]);
}

const page: BatchableRead<AuditPageCall, AuditEvent[]> = {
  name: 'audit.page',
  maxSize: 1,
  keyOf: (call) => JSON.stringify(call),
  one: findPage,
  many: async (db, calls) => Promise.all(calls.map(async (call) => findPage(db, call))),
};

/** Reads events, newest first, from a server that is fresh enough for the caller. Rejects as `Reads` does. */
export class AuditReader {
  readonly page: Read<AuditPageCall, AuditEvent[]>;

  constructor(reads: Reads) {
    this.page = reads.prepare(page);
  }
}
