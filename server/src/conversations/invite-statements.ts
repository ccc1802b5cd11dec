import { invitesMax } from '@messenger/protocol/limits';
import type { Invite } from '@messenger/protocol/invites';

import { statement } from '../db/statement.ts';
import { conversationSql, headColumns, type ConversationRow } from './conversation-rows.ts';
import { memberOf } from './conversation-statements.ts';
import { enter, enterable, roleOfNewcomer } from './enrolment.ts';
import { hasNoSuchRole, isBeyond } from './given-roles.ts';
import type { EntryRow } from './member-statements.ts';
import { isDone, judge, type OutcomeRow } from './verdicts.ts';

export const inviteColumns =
  'code, conversation_id, role, created_by, created_at, uses, max_uses, expires_at, revoked_at';

/** SQL: whether an invite can be accepted. */
export const isValid =
  '(revoked_at is null and (expires_at is null or expires_at > now()) and (max_uses is null or uses < max_uses))';

const wantedRole = `coalesce($4, ${roleOfNewcomer})`;

/** Removes the invites of the conversation that are not valid, so that their number has a bound. */
export const createInvite = statement<
  OutcomeRow & Invite,
  [
    id: string,
    me: string,
    code: string,
    role: string | undefined,
    maxUses: number | undefined,
    seconds: number | undefined,
  ]
>(
  'invites.create',
  `with ${judge(
    'invite',
    `when ${hasNoSuchRole(wantedRole)} then 'invalid_request'
     when ${isBeyond(wantedRole)} then 'not_permitted'
     when (select count(*) from invites where conversation_id = $1 and ${isValid}) >= ${invitesMax} then 'too_many_invites'`,
  )}, gone as (
     delete from invites where conversation_id = $1 and ${isDone} and not ${isValid}
   ), made as (
     insert into invites (code, conversation_id, role, created_by, max_uses, expires_at)
     select $3, id, ${wantedRole}, $2, $5, now() + make_interval(secs => $6) from c where ${isDone}
     returning ${inviteColumns}
   )
   select outcome, made.* from verdict left join made on true`,
);

export const revokeInvite = statement<OutcomeRow, [id: string, me: string, code: string]>(
  'invites.revoke',
  `with ${judge(
    'invite',
    `when not exists (select from invites where code = $3 and conversation_id = $1 and revoked_at is null) then 'invite_not_found'`,
  )}, revoked as (
     update invites set revoked_at = now() where code = $3 and ${isDone}
   )
   select outcome from verdict`,
);

/** Invites change under the lock of their conversation. */
export const lockByInvite = statement<never, [code: string]>(
  'invites.lock_conversation',
  `select c.id from conversations as c join invites on conversation_id = c.id where code = $1 for no key update of c`,
);

/** Members stay as they are, and use nothing of the invite. */
export const acceptInvite = statement<EntryRow, [code: string, me: string]>(
  'invites.accept',
  `with ${enter(
    `select ${enterable}, role as given_role, ${isValid} as is_valid
       from invites join conversations on id = conversation_id where code = $1 and deleted_at is null`,
    'given_role',
    `when is_banned or not is_valid then 'invite_not_found'`,
  )}, used as (
     update invites set uses = uses + 1 where code = $1 and ${isDone}
   )
   select outcome from verdict`,
);

export const viewByInvite = statement<ConversationRow, [code: string, me: string]>(
  'invites.view_conversation',
  conversationSql(
    `select ${headColumns} from invites as i join conversations as c on c.id = i.conversation_id ${memberOf} = $2
      where i.code = $1 and c.deleted_at is null`,
  ),
);
