import type { Message } from '@messenger/protocol/messages';
import type { FastifyReply } from 'fastify';

import { accountOf } from '../http/access.ts';
import { Representation, sendRepresentation } from '../http/representation.ts';
import { jsonType } from '../http/security-headers.ts';
import type { HttpServer } from '../http/server.ts';
import { historyRoutes } from './history-routes.ts';
import type { MessageHistory } from './message-history.ts';
import { listMessages, putMessage, sendMessage } from './message-schemas.ts';
import type { Messages, Sent } from './messages.ts';
import { reactionRoutes } from './reaction-routes.ts';
import type { Reactions } from './reactions.ts';
import { readingRoutes, type ReadingRoutes } from './reading-routes.ts';
import type { MessageSearch } from './message-search.ts';
import { searchRoutes } from './search-routes.ts';

const prefix = '/api/v1/conversations/:conversation_id/messages';

interface SendingRoutes {
  readonly messages: Messages;
  readonly newId: () => string;
}

export interface MessageRoutes extends SendingRoutes, ReadingRoutes {
  readonly history: MessageHistory;
  readonly reactions: Reactions;
  readonly search: MessageSearch;
}

/** All of messages. */
export function messageRoutes(app: HttpServer, services: MessageRoutes): void {
  sendingRoutes(app, services);
  historyRoutes(app, services.history);
  reactionRoutes(app, services.reactions);
  readingRoutes(app, services);
  searchRoutes(app, services.search);
}

/** Sending and reading messages. */
function sendingRoutes(app: HttpServer, { messages, newId }: SendingRoutes): void {
  app.post(prefix, sendMessage, async (request, reply) => {
    const target = { conversationId: request.params.conversation_id, messageId: newId() };
    return answer(reply, await messages.send(target, request.body, accountOf(request), request.caller));
  });

  app.put(`${prefix}/:message`, putMessage, async (request, reply) => {
    const { conversation_id: conversationId, message: messageId } = request.params;
    return answer(
      reply,
      await messages.send({ conversationId, messageId }, request.body, accountOf(request), request.caller),
    );
  });

  app.get(prefix, listMessages, async (request, reply) => {
    const { params, query, caller } = request;
    const page = await messages.page(params.conversation_id, query, accountOf(request), caller);
    return await sendRepresentation(request, reply, representOnce(page));
  });
}

function answer(reply: FastifyReply, { message, isRepeat }: Sent): Message {
  if (isRepeat) return message;
  reply.code(201).header('location', `/api/v1/conversations/${message.conversation_id}/messages/${message.number}`);
  return message;
}

const represented = new WeakMap<object, Representation>();

/** Concurrent requests for one page get the same array: it is serialised, and compressed, once. */
function representOnce(page: readonly Message[]): Representation {
  let body = represented.get(page);
  if (body === undefined) represented.set(page, (body = new Representation(jsonType, JSON.stringify(page), 'list')));
  return body;
}
