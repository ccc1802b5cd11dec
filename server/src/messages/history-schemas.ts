/** The schemas of messages that were sent: they validate requests, serialise answers and generate the reference. */
import {
  BackwardsPageQuery,
  ConversationPath,
  Message,
  MessagePatch,
  MessagePath,
  Revision,
  ThreadPageQuery,
} from '@messenger/protocol/messages';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { patchTypes } from '../http/json-body.ts';

const message = { tags: ['messages'], headers: TokenHeaders, params: MessagePath };
const ofMessage = { access: 'signedIn', refusals: ['conversation_not_found', 'message_not_found'] } as const;
const byRole = { ...ofMessage, refusals: [...ofMessage.refusals, 'not_permitted'] } as const;

const Done = withHeaders(Type.Null({ description: 'Done' }));
const link = { Link: 'On a full page, the address of the next one: `<…>; rel="next"`' };
const Messages = Type.Array(Message, { title: 'Messages', description: 'The messages' });

export const readMessage = {
  config: ofMessage,
  schema: {
    ...message,
    operationId: 'read_message',
    summary: 'Read a message',
    description: 'Also a deleted one: it has no body.',
    response: { 200: withHeaders(Message) },
  },
};

export const updateMessage = {
  config: {
    ...byRole,
    refusals: [...byRole.refusals, 'edit_window_over', 'recipient_unavailable', 'recipient_blocked'],
  } as const,
  schema: {
    ...message,
    operationId: 'update_message',
    summary: 'Edit an own message',
    description:
      'The old body becomes a revision, and mentions are resolved again. The same body changes nothing. A conversation may limit how long ' +
      'after sending this is possible.',
    consumes: [...patchTypes],
    body: MessagePatch,
    response: { 200: withHeaders(Message) },
  },
};

export const deleteMessage = {
  config: byRole,
  schema: {
    ...message,
    operationId: 'delete_message',
    summary: 'Delete a message',
    description:
      'An own message, or with the right to delete those of others. Its body, revisions, reactions and pin are removed for everybody; its ' +
      'number stays. The replies of a thread stay, and a deleted reply still counts. A repeated call changes nothing.',
    response: { 204: Done },
  },
};

export const listRevisions = {
  config: byRole,
  schema: {
    ...message,
    operationId: 'list_revisions',
    summary: 'Read earlier bodies of a message, newest first',
    description: 'For its sender, and for members with the right to delete it.',
    querystring: BackwardsPageQuery,
    response: { 200: withHeaders(Type.Array(Revision, { title: 'Revisions', description: 'The revisions' }), link) },
  },
};

export const readThread = {
  config: ofMessage,
  schema: {
    ...message,
    operationId: 'read_thread',
    summary: 'Read the replies of a thread',
    description: 'In the order of numbers: the newest, or those before or after a number.',
    querystring: ThreadPageQuery,
    response: { 200: withHeaders(Messages) },
  },
};

export const pinMessage = {
  config: byRole,
  schema: {
    ...message,
    operationId: 'pin_message',
    summary: 'Pin a message',
    description: 'For all members. A repeated call changes nothing.',
    response: { 204: Done },
  },
};

export const unpinMessage = {
  config: byRole,
  schema: {
    ...message,
    operationId: 'unpin_message',
    summary: 'Unpin a message',
    description: 'A repeated call changes nothing.',
    response: { 204: Done },
  },
};

export const listPins = {
  config: { access: 'signedIn', refusals: ['conversation_not_found'] } as const,
  schema: {
    ...message,
    params: ConversationPath,
    operationId: 'list_pins',
    summary: 'Read the pinned messages, the newest first',
    description: 'In the order of the messages, not of the pins.',
    querystring: BackwardsPageQuery,
    response: { 200: withHeaders(Messages, link) },
  },
};
