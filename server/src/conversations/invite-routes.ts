import { accountOf } from '../http/access.ts';
import type { HttpServer } from '../http/server.ts';
import { acceptInvite, createInvite, listInvites, previewInvite, revokeInvite } from './invite-schemas.ts';
import type { Invites } from './invites.ts';

const prefix = '/api/v1';
const ofConversation = `${prefix}/conversations/:conversation_id/invites`;

export interface InviteRoutes {
  readonly invites: Pick<Invites, keyof Invites>;
}

/** Invites. Codes are secrets: logs have the patterns of routes, never paths. */
export function inviteRoutes(app: HttpServer, { invites }: InviteRoutes): void {
  app.post(ofConversation, createInvite, async (request, reply) => {
    const { params, body, caller } = request;
    reply.code(201);
    return await invites.create(params.conversation_id, body, accountOf(request).userId, caller);
  });

  app.get(ofConversation, listInvites, async (request) =>
    invites.list(request.params.conversation_id, accountOf(request).userId, request.caller),
  );

  app.delete(`${ofConversation}/:code`, revokeInvite, async (request, reply) => {
    const { conversation_id: id, code } = request.params;
    await invites.revoke(id, code, accountOf(request).userId, request.caller);
    reply.code(204);
    return null;
  });

  app.get(`${prefix}/invites/:code`, previewInvite, async (request) =>
    invites.preview(request.params.code, accountOf(request).userId, request.caller),
  );

  app.post(`${prefix}/invites/:code/accept`, acceptInvite, async (request, reply) => {
    const { params, caller } = request;
    const { conversation, isNew } = await invites.accept(params.code, accountOf(request).userId, caller);
    if (isNew) reply.code(201);
    return conversation;
  });
}
