/** The schemas of reactions: they validate requests, serialise answers and generate the reference. */
import { MessagePath } from '@messenger/protocol/messages';
import { GivenReaction, ReactionPageQuery, ReactionPath } from '@messenger/protocol/reactions';
import { Type } from 'typebox';

import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';

const reactions = { tags: ['messages'], headers: TokenHeaders };
const ofMessage = { access: 'signedIn', refusals: ['conversation_not_found', 'message_not_found'] } as const;

const Done = withHeaders(Type.Null({ description: 'Done' }));

export const addReaction = {
  config: {
    ...ofMessage,
    refusals: [
      ...ofMessage.refusals,
      'not_permitted',
      'recipient_unavailable',
      'recipient_blocked',
      'too_many_reactions',
    ],
  } as const,
  schema: {
    ...reactions,
    operationId: 'add_reaction',
    summary: 'React to a message',
    description:
      'A message has at most 50 kinds of reactions, and any number of each. A repeated call changes nothing.',
    params: ReactionPath,
    response: { 204: Done },
  },
};

export const removeReaction = {
  config: ofMessage,
  schema: {
    ...reactions,
    operationId: 'remove_reaction',
    summary: 'Remove an own reaction',
    description: 'A repeated call changes nothing.',
    params: ReactionPath,
    response: { 204: Done },
  },
};

export const listReactions = {
  config: ofMessage,
  schema: {
    ...reactions,
    operationId: 'list_reactions',
    summary: 'See who has reacted to a message',
    description: 'In the order of emoji and of people. Follow the `Link` header for further pages.',
    params: MessagePath,
    querystring: ReactionPageQuery,
    response: {
      200: withHeaders(Type.Array(GivenReaction, { title: 'ReactionPage', description: 'Reactions' }), {
        Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
      }),
    },
  },
};
