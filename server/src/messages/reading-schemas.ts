/** The schemas of reading: they validate requests, serialise answers and generate the reference. */
import { Changes, ChangesQuery } from '@messenger/protocol/changes';
import { ConversationPath, MessagePath } from '@messenger/protocol/messages';
import {
  MentionPage,
  MentionPageQuery,
  ReadMark,
  ReadPosition,
  Readers,
  Unread,
  UnreadMark,
} from '@messenger/protocol/reading';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';

const reading = { tags: ['reading'], headers: TokenHeaders };
const ofConversation = { access: 'signedIn', refusals: ['conversation_not_found'] } as const;

export const markRead = {
  config: ofConversation,
  schema: {
    ...reading,
    operationId: 'mark_read',
    summary: 'Mark messages as read',
    description: 'All up to a number. What is read stays read; `mark_unread` ends that.',
    params: ConversationPath,
    body: ReadMark,
    response: { 200: withHeaders(ReadPosition) },
  },
};

export const markUnread = {
  config: ofConversation,
  schema: {
    ...reading,
    operationId: 'mark_unread',
    summary: 'Mark messages as unread',
    description: 'A message and all after it. What is unread stays unread.',
    params: ConversationPath,
    body: UnreadMark,
    response: { 200: withHeaders(ReadPosition) },
  },
};

export const listReaders = {
  config: {
    ...ofConversation,
    refusals: [...ofConversation.refusals, 'message_not_found', 'not_permitted'],
  } as const,
  schema: {
    ...reading,
    operationId: 'list_readers',
    summary: 'See who has read a message',
    description:
      'In direct conversations and in groups of at most 100 people. Whoever sets `reads_private` is not listed, and sees nobody.',
    params: MessagePath,
    response: { 200: withHeaders(Readers) },
  },
};

export const sumUnread = {
  config: { access: 'signedIn' } as const,
  schema: {
    ...reading,
    operationId: 'sum_unread',
    summary: 'Count what is unread',
    description: 'In all conversations of the caller.',
    response: { 200: withHeaders(Unread) },
  },
};

export const listMentions = {
  config: { access: 'signedIn' } as const,
  schema: {
    ...reading,
    operationId: 'list_mentions',
    summary: 'Read messages that mention the caller, newest first',
    description:
      'By name, or as one of all members. Only of conversations in which the caller is a member now, and not by people whom the caller ' +
      'blocks.',
    querystring: MentionPageQuery,
    response: {
      200: withHeaders(MentionPage, { Link: 'On a full page, the address of the next one: `<…>; rel="next"`' }),
    },
  },
};

export const readChanges = {
  config: { ...ofConversation, refusals: [...ofConversation.refusals, 'unknown_position'] } as const,
  schema: {
    ...reading,
    operationId: 'read_changes',
    summary: 'Follow a conversation',
    description:
      'Everything that has changed after a position, as it is now. Begin with 0 or with the `seq` of the conversation as it was loaded, ' +
      'apply each state, and continue with `to`. With `unknown_position`, load the conversation again.',
    params: ConversationPath,
    querystring: ChangesQuery,
    response: { 200: withHeaders(Changes) },
  },
};
