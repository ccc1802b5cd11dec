import type { Channel, MemberWithUser } from '@messenger/protocol/members';
import type { Action } from '@messenger/protocol/rights';

import { folded } from '../db/folded.ts';
import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import type { TextCursor } from '../lib/text-cursor.ts';
import { permits } from './conversations-sql.ts';
import { memberSql, toMember, type MemberRow } from './member-rows.ts';
import type { Outcome } from './verdicts.ts';

export interface PeopleCall {
  readonly id: string;
  readonly me: string;
  readonly limit: number;
  /** The last user of the previous page. */
  readonly after: string;
}

/** A list, or why the caller may not read it. */
export interface Listed<Row> {
  readonly outcome: Outcome;
  readonly rows: Row[];
}

/** One row without a person for an empty list. */
type PeopleRow = MemberRow & { readonly is_permitted: boolean };

const people = (name: string, action: Action, which: string) =>
  statement<PeopleRow, [id: string, me: string, limit: number, after: string]>(
    name,
    `select is_permitted, listed.*
       from (
         select ${permits(action, 'kind', 'role')} as is_permitted
           from conversations join members on conversation_id = id
          where id = $1 and deleted_at is null and user_id = $2 and left_at is null
       ) as me
       left join lateral (
         select ${memberSql} from members as m left join users as u on u.id = m.user_id
          where m.conversation_id = $1 and ${which} and m.user_id > $4
          order by m.user_id limit $3
       ) as listed on is_permitted
      order by user_id`,
  );

/** In the order of user ids. */
function pageOf(selectPeople: ReturnType<typeof people>) {
  const { name } = selectPeople;
  return unbatched<PeopleCall, Listed<MemberWithUser>>({
    name,
    keyOf: ({ id, me, limit, after }) => `${id},${me},${limit},${after}`,
    isDoubtful: ({ outcome }) => outcome !== 'done',
    one: async (db, { id, me, limit, after }) => {
      const rows = await db.query(selectPeople, [id, me, limit, after]);
      if (rows[0] === undefined) return { outcome: 'conversation_not_found', rows: [] };
      if (!rows[0].is_permitted) return { outcome: 'not_permitted', rows: [] };
      return { outcome: 'done', rows: rows.filter(({ user_id: user }) => typeof user === 'string').map(toMember) };
    },
  });
}

/** All members, in the order of their ids. */
export const selectMembers = people('members.page', 'read', 'm.left_at is null');
const selectBans = people('members.page_of_bans', 'ban_members', 'm.banned_at is not null');

export interface ChannelCall {
  readonly me: string;
  readonly query: string;
  readonly limit: number;
  readonly after: TextCursor;
}

export interface ChannelRow extends Channel {
  /** The folded title. */
  readonly search_title: string;
}

/** U+10FFFF sorts behind every text with the prefix. Who is banned from a channel does not find it. */
const searchChannels = statement<ChannelRow, [me: string, query: string, limit: number, text: string, id: string]>(
  'channels.page',
  `with wanted as materialized (
     select ${folded('$2::text')} as prefix
   )
   select c.id, kind, title, about, member_count, search_title, user_id is not null as is_member
     from wanted cross join conversations as c
     left join members on conversation_id = c.id and user_id = $1 and (left_at is null or banned_at is not null)
    where (search_title, c.id) > (greatest($4::text collate "C", prefix), $5::uuid) and search_title < prefix || chr(1114111)
      and banned_at is null
    order by search_title, c.id limit $3`,
);

const channels = unbatched<ChannelCall, ChannelRow[]>({
  name: 'channels.page',
  keyOf: ({ me, query, limit, after }) => `${me},${limit},${after.id},${query}\n${after.text}`,
  one: async (db, { me, query, limit, after }) => db.query(searchChannels, [me, query, limit, after.text, after.id]),
});

/** Reads the people of conversations, and public channels. Rejects as `Reads` does. */
export class MemberReader {
  readonly members: Read<PeopleCall, Listed<MemberWithUser>>;
  readonly bans: Read<PeopleCall, Listed<MemberWithUser>>;
  /** Public channels by the beginning of the title, in its order. */
  readonly channels: Read<ChannelCall, ChannelRow[]>;

  constructor(reads: Reads) {
    this.members = reads.prepare(pageOf(selectMembers));
    this.bans = reads.prepare(pageOf(selectBans));
    this.channels = reads.prepare(channels);
  }
}
