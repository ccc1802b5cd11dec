import type { SeparateWrites } from '../db/separate-writes.ts';
import { statement } from '../db/statement.ts';
import type { Write } from '../db/writes.ts';
import type { BlockCall } from './block-reader.ts';

const insertBlock = statement<{ readonly is_known: boolean }, [me: string, other: string]>(
  'blocks.insert',
  `with known as (
     select user_id from accounts where user_id = $2
   ), made as (
     insert into blocks (user_id, blocked_id) select $1::uuid, user_id from known on conflict do nothing
   )
   select exists (select from known) as is_known`,
);

const deleteBlock = statement<never, [me: string, other: string]>(
  'blocks.delete',
  'delete from blocks where user_id = $1 and blocked_id = $2',
);

/** Writes whom people block. Rejects as `Pool` does. */
export class BlockWriter {
  /** Resolves with whether the other one has an account. */
  readonly add: Write<BlockCall, boolean>;
  readonly remove: Write<BlockCall, void>;

  constructor(writes: SeparateWrites) {
    this.add = writes.prepare(
      async (db, { me, other }) => (await db.query(insertBlock, [me, other]))[0]?.is_known === true,
    );
    this.remove = writes.prepare(async (db, { me, other }) => {
      await db.query(deleteBlock, [me, other]);
    });
  }
}
