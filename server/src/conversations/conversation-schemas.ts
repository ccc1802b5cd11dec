/** The schemas of conversations: they validate requests and generate the reference. */
import {
  Conversation,
  ConversationCreation,
  ConversationPageQuery,
  ConversationPatch,
  ConversationPath,
  ConversationSettings,
  PersonPath,
} from '@messenger/protocol/conversations';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { patchTypes, plainJson } from '../http/json-body.ts';

const shared = { tags: ['conversations'], headers: TokenHeaders };
const aboutOne = { ...shared, params: ConversationPath };
const signedIn = { access: 'signedIn' } as const;
const ofMembers = { ...signedIn, refusals: ['conversation_not_found'] } as const;
const byRole = { ...signedIn, refusals: ['conversation_not_found', 'not_permitted'] } as const;

const One = withHeaders(Conversation);
const Created = withHeaders(Conversation, { Location: 'The address of the conversation' });

export const openDirect = {
  ...plainJson,
  config: { ...signedIn, refusals: ['recipient_unavailable', 'recipient_blocked'] } as const,
  schema: {
    ...shared,
    operationId: 'open_direct_conversation',
    summary: 'Open the direct conversation with a person',
    description: 'There is one for each pair of people. It is created by the first call, 201; later calls answer 200.',
    params: PersonPath,
    response: { 200: One, 201: Created },
  },
};

export const createConversation = {
  ...plainJson,
  config: { ...openDirect.config, refusals: [...openDirect.config.refusals, 'conversation_id_taken'] } as const,
  schema: {
    ...shared,
    operationId: 'create_conversation',
    summary: 'Create a group or a channel',
    description:
      'The caller becomes its owner. To retry safely, send an `id`: a repeated request gets the stored conversation, 200. In groups every ' +
      'member may write; in channels, members with the role `reader` only read.',
    body: ConversationCreation,
    response: { 200: One, 201: Created },
  },
};

export const listConversations = {
  ...plainJson,
  config: signedIn,
  schema: {
    ...shared,
    operationId: 'list_conversations',
    summary: 'List the own conversations, newest activity first',
    description: 'Follow the `Link` header for further pages.',
    querystring: ConversationPageQuery,
    response: {
      200: withHeaders(Type.Array(Conversation, { title: 'ConversationPage', description: 'Own conversations' }), {
        Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
      }),
    },
  },
};

export const readConversation = {
  ...plainJson,
  config: ofMembers,
  schema: {
    ...aboutOne,
    operationId: 'read_conversation',
    summary: 'Read a conversation',
    description: 'For its members. For everybody else there is none with this id.',
    response: { 200: One },
  },
};

export const updateConversation = {
  ...plainJson,
  config: byRole,
  schema: {
    ...aboutOne,
    operationId: 'update_conversation',
    summary: 'Change title, description, visibility or the time for edits',
    description: 'Fields that are left out stay as they are. The same values are no change.',
    consumes: [...patchTypes],
    body: ConversationPatch,
    response: { 200: One },
  },
};

export const deleteConversation = {
  ...plainJson,
  config: byRole,
  schema: {
    ...aboutOne,
    operationId: 'delete_conversation',
    summary: 'Delete a group or a channel',
    description: 'For owners. It is gone for all members at once; its messages are removed from the database later.',
    response: { 204: withHeaders(Type.Null({ description: 'The conversation is deleted' })) },
  },
};

export const configureConversation = {
  ...plainJson,
  config: ofMembers,
  schema: {
    ...aboutOne,
    operationId: 'configure_conversation',
    summary: 'Mute, pin or archive a conversation',
    description: 'These settings are those of the caller alone. Fields that are left out stay as they are.',
    body: ConversationSettings,
    response: { 200: One },
  },
};
