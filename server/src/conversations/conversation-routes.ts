import type { FastifyReply } from 'fastify';

import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import { blockRoutes, type BlockRoutes } from './block-routes.ts';
import {
  configureConversation,
  createConversation,
  deleteConversation,
  listConversations,
  openDirect,
  readConversation,
  updateConversation,
} from './conversation-schemas.ts';
import type { Conversations, Opened } from './conversations.ts';
import { inviteRoutes, type InviteRoutes } from './invite-routes.ts';
import { memberRoutes, type MemberRoutes } from './member-routes.ts';

export type ConversationRoutes = MemberRoutes &
  InviteRoutes &
  BlockRoutes & {
    readonly conversations: Pick<Conversations, keyof Conversations>;
  };

const prefix = '/api/v1/conversations';

/** Conversations of the caller: direct ones, groups and channels, their members and invites, and whom the caller blocks. */
export function conversationRoutes(app: HttpServer, services: ConversationRoutes): void {
  const { conversations } = services;
  memberRoutes(app, services);
  inviteRoutes(app, services);
  blockRoutes(app, services);
  app.put(`${prefix}/direct/:user_id`, openDirect, async (request, reply) => {
    const { params, caller } = request;
    return opened(reply, await conversations.openDirect(params.user_id, accountOf(request).userId, caller));
  });

  app.post(prefix, createConversation, async (request, reply) =>
    opened(reply, await conversations.create(request.body, accountOf(request).userId, request.caller)),
  );

  app.get(prefix, listConversations, async (request, reply) => {
    const { query, caller } = request;
    const { conversations: rows, next } = await conversations.list(query, accountOf(request).userId, caller);
    if (next !== undefined) linkNext(request, reply, { after: next });
    return rows;
  });

  const one = `${prefix}/:conversation_id`;
  app.get(one, readConversation, async (request) =>
    conversations.get(request.params.conversation_id, accountOf(request).userId, request.caller),
  );

  app.patch(one, updateConversation, async (request) => {
    const { params, body, caller } = request;
    return await conversations.change(params.conversation_id, body, accountOf(request).userId, caller);
  });

  app.delete(one, deleteConversation, async (request, reply) => {
    await conversations.delete(request.params.conversation_id, accountOf(request).userId, request.caller);
    reply.code(204);
    return null;
  });

  app.put(`${one}/settings`, configureConversation, async (request) => {
    const { params, body, caller } = request;
    return await conversations.configure(params.conversation_id, body, accountOf(request).userId, caller);
  });
}

/** 201 for a new conversation, with its address. */
function opened(reply: FastifyReply, { conversation, isNew }: Opened): Opened['conversation'] {
  if (isNew) reply.code(201).header('location', `${prefix}/${conversation.id}`);
  return conversation;
}
