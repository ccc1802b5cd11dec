/** The schemas of messages: they validate requests, serialise answers and generate the reference. */
import { ConversationPath, Message, MessagePageQuery, NewMessage, SendPath } from '@messenger/protocol/messages';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';

const messages = { tags: ['messages'], headers: TokenHeaders };
const signedIn = { access: 'signedIn' } as const;
const sends = {
  ...signedIn,
  refusals: [
    'conversation_not_found',
    'not_permitted',
    'message_not_found',
    'recipient_unavailable',
    'recipient_blocked',
  ],
} as const;

const One = withHeaders(Message);
const Location = { Location: 'The address of the message' };

export const sendMessage = {
  config: sends,
  schema: {
    ...messages,
    operationId: 'send_message',
    summary: 'Send a message',
    description: 'The server chooses the id: a repeated request sends another message.',
    params: ConversationPath,
    body: NewMessage,
    response: { 201: withHeaders(Message, Location) },
  },
};

export const putMessage = {
  config: { ...sends, refusals: [...sends.refusals, 'message_id_taken'] } as const,
  schema: {
    ...messages,
    operationId: 'put_message',
    summary: 'Send a message once',
    description:
      'The client chooses the id. A repeat with the same content, whenever it comes, is answered with the stored message and 200; ' +
      'other content, or another sender, is refused.',
    params: SendPath,
    body: NewMessage,
    response: { 200: One, 201: withHeaders(Message, Location) },
  },
};

export const listMessages = {
  config: { ...signedIn, refusals: ['conversation_not_found'] } as const,
  schema: {
    ...messages,
    operationId: 'list_messages',
    summary: 'Read messages',
    description:
      'In the order of numbers: the newest, or those before, after or around a number. Deleted messages have no body.',
    params: ConversationPath,
    querystring: MessagePageQuery,
    response: { 200: withHeaders(Type.Array(Message, { title: 'Messages', description: 'The messages' })) },
  },
};
