import type { Block } from '@messenger/protocol/blocks';
import { pageLimitDefault } from '@messenger/protocol/limits';
import type { PeoplePageQuery } from '@messenger/protocol/members';

import type { Caller } from '../db/caller.ts';
import { AppError } from '../lib/app-error.ts';
import type { BlockReader } from './block-reader.ts';
import type { BlockWriter } from './block-writer.ts';
import { beforeAll } from './conversations-sql.ts';

export interface BlockPage {
  readonly blocks: Block[];
  /** The `after` of the next page; undefined when this page is not full. */
  readonly next: string | undefined;
}

/**
 * The use cases of blocks; `me` is the user of the caller. Who is blocked sends no direct messages to the other one, adds it to no
 * conversation, and notifies it by no mention; and gets the same answers as if the account did not exist. Rejects with `AppError`:
 * `block_not_found`, `user_not_found`, `invalid_request`, and those of the databases.
 */
export class Blocks {
  readonly #reader: BlockReader;
  readonly #writer: BlockWriter;

  constructor(reader: BlockReader, writer: BlockWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** In the order of user ids. */
  async list(
    { limit = pageLimitDefault, after = beforeAll }: PeoplePageQuery,
    me: string,
    caller: Caller,
  ): Promise<BlockPage> {
    const blocks = await this.#reader.page({ me, limit, after }, caller);
    return { blocks, next: blocks.length === limit ? blocks.at(-1)?.user_id : undefined };
  }

  async get(other: string, me: string, caller: Caller): Promise<Block> {
    const block = await this.#reader.find({ me, other }, caller);
    if (block === undefined) throw new AppError('block_not_found');
    return block;
  }

  async add(other: string, me: string, caller: Caller): Promise<void> {
    if (other === me) throw new AppError('invalid_request', { detail: 'Nobody blocks themselves' });
    if (!(await this.#writer.add({ me, other }, caller))) throw new AppError('user_not_found');
  }

  async remove(other: string, me: string, caller: Caller): Promise<void> {
    await this.#writer.remove({ me, other }, caller);
  }
}
