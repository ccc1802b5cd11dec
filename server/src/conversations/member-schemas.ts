/** The schemas of members and public channels: they validate requests and generate the reference. */
import { Conversation, ConversationPath } from '@messenger/protocol/conversations';
import {
  Addition,
  AdditionResult,
  Channel,
  ChannelPageQuery,
  MemberPath,
  MemberWithUser,
  PeoplePageQuery,
  RoleChange,
} from '@messenger/protocol/members';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { patchTypes, plainJson } from '../http/json-body.ts';

const shared = { tags: ['members'], headers: TokenHeaders };
const ofAll = { ...shared, params: ConversationPath };
const ofOne = { ...shared, params: MemberPath };
const signedIn = { access: 'signedIn' } as const;
const byRole = { ...signedIn, refusals: ['conversation_not_found', 'not_permitted'] } as const;

const Next = { Link: 'On a full page, the address of the next one: `<…>; rel="next"`' };
const One = withHeaders(Conversation);
const Done = withHeaders(Type.Null({ description: 'Done' }));

export const listMembers = {
  ...plainJson,
  config: { ...signedIn, refusals: ['conversation_not_found'] } as const,
  schema: {
    ...ofAll,
    operationId: 'list_members',
    summary: 'List the members',
    description: 'In the order of user ids. Follow the `Link` header for further pages.',
    querystring: PeoplePageQuery,
    response: {
      200: withHeaders(Type.Array(MemberWithUser, { title: 'MembershipPage', description: 'Members' }), Next),
    },
  },
};

export const addMembers = {
  ...plainJson,
  config: byRole,
  schema: {
    ...ofAll,
    operationId: 'add_members',
    summary: 'Add people',
    description: 'The answer has the outcome for each person. A direct conversation always has the same two members.',
    body: Addition,
    response: {
      200: withHeaders(Type.Array(AdditionResult, { title: 'AdditionResults', description: 'One for each person' })),
    },
  },
};

export const updateMember = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'member_not_found', 'last_owner'] } as const,
  schema: {
    ...ofOne,
    operationId: 'update_member',
    summary: 'Change the role of a member',
    description:
      'To at most the own role, of members below it; owners also of owners. To hand a conversation over, make another member an owner, and ' +
      'then take another role.',
    consumes: [...patchTypes],
    body: RoleChange,
    response: { 200: withHeaders(MemberWithUser) },
  },
};

export const removeMember = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'member_not_found', 'last_owner'] } as const,
  schema: {
    ...ofOne,
    operationId: 'remove_member',
    summary: 'Remove a member',
    description: 'Of members below the own role; owners also remove owners. With the own id, the caller leaves.',
    response: { 204: Done },
  },
};

export const leaveConversation = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'last_owner'] } as const,
  schema: {
    ...ofAll,
    operationId: 'leave_conversation',
    summary: 'Leave a conversation',
    description:
      'The last owner makes somebody else an owner first. When the last member leaves, the conversation is deleted. Nobody leaves a direct ' +
      'conversation; it can be archived.',
    response: { 204: Done },
  },
};

export const joinChannel = {
  ...plainJson,
  config: { ...signedIn, refusals: ['conversation_not_found', 'conversation_full'] } as const,
  schema: {
    ...ofAll,
    operationId: 'join_channel',
    summary: 'Join a public channel',
    description: 'Also for members, for whom nothing changes: 200.',
    response: { 200: One, 201: One },
  },
};

export const listBans = {
  ...plainJson,
  config: byRole,
  schema: {
    ...ofAll,
    operationId: 'list_bans',
    summary: 'List the people who are banned',
    description: 'In the order of user ids. Follow the `Link` header for further pages.',
    querystring: PeoplePageQuery,
    response: {
      200: withHeaders(Type.Array(MemberWithUser, { title: 'BanPage', description: 'Banned people' }), Next),
    },
  },
};

export const banMember = {
  ...plainJson,
  config: { ...byRole, refusals: [...byRole.refusals, 'user_not_found'] } as const,
  schema: {
    ...ofOne,
    operationId: 'ban_member',
    summary: 'Ban a person',
    description:
      'Removes a member, who then cannot join, be added, or accept an invite. Also for people who are no members.',
    response: { 204: Done },
  },
};

export const unbanMember = {
  ...plainJson,
  config: byRole,
  schema: {
    ...ofOne,
    operationId: 'unban_member',
    summary: 'End a ban',
    description: 'The person does not become a member by it.',
    response: { 204: Done },
  },
};

export const listChannels = {
  ...plainJson,
  config: signedIn,
  schema: {
    ...shared,
    operationId: 'list_channels',
    summary: 'Find public channels',
    description: 'In the order of their titles. Follow the `Link` header for further pages.',
    querystring: ChannelPageQuery,
    response: {
      200: withHeaders(Type.Array(Channel, { title: 'ChannelPage', description: 'Public channels' }), Next),
    },
  },
};
