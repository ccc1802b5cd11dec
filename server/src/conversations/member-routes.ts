import type { FastifyReply } from 'fastify';

import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
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
import type { Members } from './members.ts';

const prefix = '/api/v1';
const one = `${prefix}/conversations/:conversation_id`;

export interface MemberRoutes {
  readonly members: Pick<Members, keyof Members>;
}

/** The members of conversations, and public channels. */
export function memberRoutes(app: HttpServer, { members }: MemberRoutes): void {
  peopleRoutes(app, members);
  ownRoutes(app, members);
  banRoutes(app, members);
}

function peopleRoutes(app: HttpServer, members: MemberRoutes['members']): void {
  app.get(`${one}/members`, listMembers, async (request, reply) => {
    const { params, query, caller } = request;
    const { people, next } = await members.list(params.conversation_id, query, accountOf(request).userId, caller);
    if (next !== undefined) linkNext(request, reply, { after: next });
    return people;
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

function ownRoutes(app: HttpServer, members: MemberRoutes['members']): void {
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
    if (next !== undefined) linkNext(request, reply, { after: next });
    return channels;
  });
}

function banRoutes(app: HttpServer, members: MemberRoutes['members']): void {
  app.get(`${one}/bans`, listBans, async (request, reply) => {
    const { params, query, caller } = request;
    const { people, next } = await members.listBans(params.conversation_id, query, accountOf(request).userId, caller);
    if (next !== undefined) linkNext(request, reply, { after: next });
    return people;
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

function done(reply: FastifyReply): null {
  reply.code(204);
  return null;
}
