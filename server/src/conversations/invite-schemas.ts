/** The schemas of invites: they validate requests and generate the reference. */
import { Conversation, ConversationPath } from '@messenger/protocol/conversations';
import { Invite, InviteCreation, InviteOfPath, InvitePath, InvitePreview } from '@messenger/protocol/invites';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { plainJson } from '../http/json-body.ts';

const shared = { tags: ['invites'], headers: TokenHeaders };
const signedIn = { access: 'signedIn' } as const;
const byRole = { ...signedIn, refusals: ['conversation_not_found', 'not_permitted'] } as const;

const One = withHeaders(Conversation);

export const createInvite = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'too_many_invites'] } as const,
  schema: {
    ...shared,
    params: ConversationPath,
    operationId: 'create_invite',
    summary: 'Create an invite',
    description: 'Whoever has its code may join, until it expires, is used up or revoked.',
    body: InviteCreation,
    response: { 201: withHeaders(Invite) },
  },
};

export const listInvites = {
  ...plainJson,
  config: byRole,
  schema: {
    ...shared,
    params: ConversationPath,
    operationId: 'list_invites',
    summary: 'List the invites, newest first',
    description: 'Those that are no longer valid are removed when the next one is created.',
    response: { 200: withHeaders(Type.Array(Invite, { title: 'Invites', description: 'The invites' })) },
  },
};

export const revokeInvite = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'invite_not_found'] } as const,
  schema: {
    ...shared,
    params: InviteOfPath,
    operationId: 'revoke_invite',
    summary: 'Revoke an invite',
    description: 'Nobody can accept it from now on. Members who have joined by it stay.',
    response: { 204: withHeaders(Type.Null({ description: 'The invite is revoked' })) },
  },
};

export const previewInvite = {
  ...plainJson,
  config: { ...signedIn, refusals: ['invite_not_found'] } as const,
  schema: {
    ...shared,
    params: InvitePath,
    operationId: 'read_invite',
    summary: 'See what an invite leads to',
    description: 'An invite that is unknown, expired, used up or revoked gets the same answer.',
    response: { 200: withHeaders(InvitePreview) },
  },
};

export const acceptInvite = {
  ...plainJson,
  config: { ...signedIn, refusals: ['invite_not_found', 'conversation_full'] } as const,
  schema: {
    ...shared,
    params: InvitePath,
    operationId: 'accept_invite',
    summary: 'Accept an invite',
    description: 'Also for members, for whom nothing changes: 200.',
    response: { 200: One, 201: One },
  },
};
