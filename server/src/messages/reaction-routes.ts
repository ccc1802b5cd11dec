import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import { addReaction, listReactions, removeReaction } from './reaction-schemas.ts';
import type { Reactions } from './reactions.ts';
import { done, targetOf } from './target-routes.ts';

const prefix = '/api/v1/conversations/:conversation_id/messages/:message/reactions';

/** Reactions to a message. */
export function reactionRoutes(app: HttpServer, reactions: Reactions): void {
  app.put(`${prefix}/:emoji`, addReaction, async (request, reply) => {
    await reactions.add(targetOf(request), request.params.emoji, accountOf(request), request.caller);
    return done(reply);
  });

  app.delete(`${prefix}/:emoji`, removeReaction, async (request, reply) => {
    await reactions.remove(targetOf(request), request.params.emoji, accountOf(request), request.caller);
    return done(reply);
  });

  app.get(prefix, listReactions, async (request, reply) => {
    const { reactions: page, next } = await reactions.list(
      targetOf(request),
      request.query,
      accountOf(request),
      request.caller,
    );
    if (next !== undefined) linkNext(request, reply, { after: next });
    return page;
  });
}
