import { messagesLimitDefault } from '@messenger/protocol/limits';

import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import {
  deleteMessage,
  listPins,
  listRevisions,
  pinMessage,
  readMessage,
  readThread,
  unpinMessage,
  updateMessage,
} from './history-schemas.ts';
import type { MessageHistory } from './message-history.ts';
import { done, targetOf } from './target-routes.ts';

const conversation = '/api/v1/conversations/:conversation_id';
const message = `${conversation}/messages/:message`;

/** A message that was sent: edits, deletion, pins, threads. */
export function historyRoutes(app: HttpServer, history: MessageHistory): void {
  app.get(message, readMessage, async (request) => history.get(targetOf(request), accountOf(request), request.caller));

  app.patch(message, updateMessage, async (request) =>
    history.edit(targetOf(request), request.body.body, accountOf(request), request.caller),
  );

  app.delete(message, deleteMessage, async (request, reply) => {
    await history.delete(targetOf(request), accountOf(request), request.caller);
    return done(reply);
  });

  app.get(`${message}/revisions`, listRevisions, async (request, reply) => {
    const page = await history.revisions(targetOf(request), request.query, accountOf(request), request.caller);
    const last = lastOf(page, request.query);
    if (last !== undefined) linkNext(request, reply, { before: last.revision });
    return page;
  });

  app.get(`${message}/thread`, readThread, async (request) =>
    history.thread(targetOf(request), request.query, accountOf(request), request.caller),
  );

  pinRoutes(app, history);
}

function pinRoutes(app: HttpServer, history: MessageHistory): void {
  app.put(`${message}/pin`, pinMessage, async (request, reply) => {
    await history.pin(targetOf(request), true, accountOf(request), request.caller);
    return done(reply);
  });

  app.delete(`${message}/pin`, unpinMessage, async (request, reply) => {
    await history.pin(targetOf(request), false, accountOf(request), request.caller);
    return done(reply);
  });

  app.get(`${conversation}/pins`, listPins, async (request, reply) => {
    const { params, query, caller } = request;
    const page = await history.pins(params.conversation_id.toLowerCase(), query, accountOf(request), caller);
    const last = lastOf(page, query);
    if (last !== undefined) linkNext(request, reply, { before: last.number });
    return page;
  });
}

/** Of a full page. */
function lastOf<Row>(
  page: readonly Row[],
  { limit = messagesLimitDefault }: { readonly limit?: number },
): Row | undefined {
  return page.length === limit ? page.at(-1) : undefined;
}
