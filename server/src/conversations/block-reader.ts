import type { Block } from '@messenger/protocol/blocks';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';

interface BlockRow {
  readonly user_id: string;
  readonly blocked_at: string;
  readonly found_id: string | null;
  readonly first_name: string;
  readonly last_name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface BlockPageCall {
  readonly me: string;
  readonly limit: number;
  /** The last person of the previous page. */
  readonly after: string;
}

const columns = `blocked_id as user_id, b.created_at as blocked_at, u.id as found_id, first_name, last_name, u.created_at, u.updated_at
     from blocks as b left join users as u on u.id = blocked_id where user_id = $1`;

const selectPage = statement<BlockRow, [me: string, limit: number, after: string]>(
  'blocks.page',
  `select ${columns} and blocked_id > $3 order by blocked_id limit $2`,
);

const selectOne = statement<BlockRow, [me: string, other: string]>(
  'blocks.find',
  `select ${columns} and blocked_id = $2`,
);

function toBlock(row: BlockRow): Block {
  const { user_id, blocked_at, found_id: id, first_name, last_name, created_at, updated_at } = row;
  const user = id === null ? null : { id, first_name, last_name, created_at, updated_at };
  return { user_id, created_at: blocked_at, user };
}

const page = unbatched<BlockPageCall, Block[]>({
  name: 'blocks.page',
  keyOf: ({ me, limit, after }) => `${me},${limit},${after}`,
  one: async (db, { me, limit, after }) => (await db.query(selectPage, [me, limit, after])).map(toBlock),
});

export interface BlockCall {
  readonly me: string;
  readonly other: string;
}

const find = unbatched<BlockCall, Block | undefined>({
  name: 'blocks.find',
  keyOf: ({ me, other }) => `${me},${other}`,
  isDoubtful: (block) => block === undefined,
  one: async (db, { me, other }) => (await db.query(selectOne, [me, other])).map(toBlock)[0],
});

/** Reads whom people block, for themselves alone. Rejects as `Reads` does. */
export class BlockReader {
  /** In the order of user ids. */
  readonly page: Read<BlockPageCall, Block[]>;
  readonly find: Read<BlockCall, Block | undefined>;

  constructor(reads: Reads) {
    this.page = reads.prepare(page);
    this.find = reads.prepare(find);
  }
}
