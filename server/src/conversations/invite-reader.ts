import type { Invite, InvitePreview } from '@messenger/protocol/invites';

import type { Read, Reads } from '../db/reads.ts';
import { statement } from '../db/statement.ts';
import { unbatched } from '../db/unbatched.ts';
import type { ViewCall } from './conversation-reader.ts';
import { permits } from './conversations-sql.ts';
import { inviteColumns, isValid } from './invite-statements.ts';
import type { InviteCall } from './invite-writer.ts';
import type { Listed } from './member-reader.ts';

/** One row without an invite for an empty list. */
type InviteRow = Omit<Invite, 'code'> & { readonly code: string | null; readonly is_permitted: boolean };

function toInvites(row: InviteRow): Invite[] {
  const { code, conversation_id, role, created_by, created_at, uses, max_uses, expires_at, revoked_at } = row;
  if (code === null) return [];
  return [{ code, conversation_id, role, created_by, created_at, uses, max_uses, expires_at, revoked_at }];
}

const selectInvites = statement<InviteRow, [id: string, me: string]>(
  'invites.list',
  `select is_permitted, listed.*
     from (
       select ${permits('invite', 'kind', 'role')} as is_permitted
         from conversations join members on conversation_id = id
        where id = $1 and deleted_at is null and user_id = $2 and left_at is null
     ) as me
     left join (select ${inviteColumns} from invites where conversation_id = $1) as listed on is_permitted
    order by created_at desc, code`,
);

const list = unbatched<ViewCall, Listed<Invite>>({
  name: 'invites.list',
  keyOf: ({ id, me }) => `${id},${me}`,
  isDoubtful: ({ outcome }) => outcome !== 'done',
  one: async (db, { id, me }) => {
    const found = await db.query(selectInvites, [id, me]);
    if (found[0] === undefined) return { outcome: 'conversation_not_found', rows: [] };
    if (!found[0].is_permitted) return { outcome: 'not_permitted', rows: [] };
    return { outcome: 'done', rows: found.flatMap(toInvites) };
  },
});

type PreviewRow = InvitePreview['conversation'] & Pick<InvitePreview, 'role' | 'is_member'>;

/** Who is banned finds no invite. */
const selectPreview = statement<PreviewRow, [code: string, me: string]>(
  'invites.preview',
  `select c.id, kind, title, about, member_count, i.role, m.user_id is not null as is_member
     from invites as i join conversations as c on c.id = i.conversation_id
     left join members as m on m.conversation_id = c.id and m.user_id = $2 and (left_at is null or banned_at is not null)
    where code = $1 and ${isValid} and deleted_at is null and banned_at is null`,
);

const preview = unbatched<InviteCall, InvitePreview | undefined>({
  name: 'invites.preview',
  keyOf: ({ code, me }) => `${code} ${me}`,
  isDoubtful: (found) => found === undefined,
  one: async (db, { code, me }) => {
    const [row] = await db.query(selectPreview, [code, me]);
    if (row === undefined) return undefined;
    const { role, is_member, ...conversation } = row;
    return { conversation, role, is_member };
  },
});

/** Reads invites. Rejects as `Reads` does. */
export class InviteReader {
  /** Newest first. */
  readonly list: Read<ViewCall, Listed<Invite>>;
  /** Undefined for an invite that is not valid. */
  readonly preview: Read<InviteCall, InvitePreview | undefined>;

  constructor(reads: Reads) {
    this.list = reads.prepare(list);
    this.preview = reads.prepare(preview);
  }
}
