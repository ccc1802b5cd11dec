import { pageLimitDefault } from '@messenger/protocol/limits';
import type { FastifyReply } from 'fastify';

import { accountOf } from '../http/access.ts';
import type { HttpServer } from '../http/server.ts';
import {
  addMembers,
  banMember,
  joinChannel,
  leaveConversation,
  listBans,
  listChannels,
  listMembers,
  removeMember,
  unbanMember,
  updateMember,
} from './member-schemas.ts';
import type { Members, PeoplePage } from './members.ts';

const prefix = '/api/v1';
const one = `${prefix}/conversations/:conversation_id`;

/** The members of conversations, and public channels. */
export function memberRoutes(app: HttpServer, members: Pick<Members, keyof Members>): void {
  peopleRoutes(app, members);
  ownRoutes(app, members);
  banRoutes(app, members);
}

function peopleRoutes(app: HttpServer, members: Pick<Members, keyof Members>): void {
  app.get(`${one}/members`, listMembers, async (request, reply) => {
    const { conversation_id: id } = request.params;
    const page = await members.list(id, request.query, accountOf(request).userId, request.caller);
    return paged(reply, `${prefix}/conversations/${id}/members`, page, request.query.limit);
  });

  app.post(`${one}/members`, addMembers, async (request) => {
    const { params, body, caller } = request;
    return await members.add(params.conversation_id, body.user_ids, accountOf(request).userId, caller);
  });

  app.patch(`${one}/members/:user_id`, updateMember, async (request) => {
    const { conversation_id: id, user_id: userId } = request.params;
    return await members.setRole(id, userId, request.body.role, accountOf(request).userId, request.caller);
  });

  app.delete(`${one}/members/:user_id`, removeMember, async (request, reply) => {
    const { conversation_id: id, user_id: userId } = request.params;
    await members.remove(id, userId, accountOf(request).userId, request.caller);
    return done(reply);
  });
}

function ownRoutes(app: HttpServer, members: Pick<Members, keyof Members>): void {
  app.put(`${one}/members/me`, joinChannel, async (request, reply) => {
    const { params, caller } = request;
    const { conversation, isNew } = await members.join(params.conversation_id, accountOf(request).userId, caller);
    if (isNew) reply.code(201);
    return conversation;
  });

  app.delete(`${one}/members/me`, leaveConversation, async (request, reply) => {
    await members.leave(request.params.conversation_id, accountOf(request).userId, request.caller);
    return done(reply);
  });

  app.get(`${prefix}/channels`, listChannels, async (request, reply) => {
    const { query, caller } = request;
    const { channels, next } = await members.listChannels(query, accountOf(request).userId, caller);
    const { limit = pageLimitDefault, query: text } = query;
    const filter = text === undefined ? '' : `query=${encodeURIComponent(text)}&`;
    if (next !== undefined)
      reply.header('link', `<${prefix}/channels?${filter}limit=${limit}&after=${next}>; rel="next"`);
    return channels;
  });
}

function banRoutes(app: HttpServer, members: Pick<Members, keyof Members>): void {
  app.get(`${one}/bans`, listBans, async (request, reply) => {
    const { conversation_id: id } = request.params;
    const page = await members.listBans(id, request.query, accountOf(request).userId, request.caller);
    return paged(reply, `${prefix}/conversations/${id}/bans`, page, request.query.limit);
  });

  app.put(`${one}/bans/:user_id`, banMember, async (request, reply) => {
    const { conversation_id: id, user_id: userId } = request.params;
    await members.ban(id, userId, accountOf(request).userId, request.caller);
    return done(reply);
  });

  app.delete(`${one}/bans/:user_id`, unbanMember, async (request, reply) => {
    const { conversation_id: id, user_id: userId } = request.params;
    await members.unban(id, userId, accountOf(request).userId, request.caller);
    return done(reply);
  });
}

function paged(
  reply: FastifyReply,
  path: string,
  { people, next }: PeoplePage,
  limit = pageLimitDefault,
): PeoplePage['people'] {
  if (next !== undefined) reply.header('link', `<${path}?limit=${limit}&after=${next}>; rel="next"`);
  return people;
}

function done(reply: FastifyReply): null {
  reply.code(204);
  return null;
}
