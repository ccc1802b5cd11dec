import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import type { ChangeLog } from './changes.ts';
import type { MessageTarget } from './message-target.ts';
import type { Reading } from './reading.ts';
import { listMentions, listReaders, markRead, markUnread, readChanges, sumUnread } from './reading-schemas.ts';
import { targetOf } from './target-routes.ts';

const prefix = '/api/v1';
const conversation = `${prefix}/conversations/:conversation_id`;

export interface ReadingRoutes {
  readonly reading: Reading;
  readonly changes: ChangeLog;
}

/** What the caller has read and what not, and what is new. */
export function readingRoutes(app: HttpServer, { reading, changes }: ReadingRoutes): void {
  app.put(`${conversation}/read`, markRead, async (request) =>
    reading.read(placeOf(request), accountOf(request), request.caller),
  );

  app.put(`${conversation}/unread`, markUnread, async (request) =>
    reading.unread(placeOf(request), accountOf(request), request.caller),
  );

  app.get(`${conversation}/messages/:message/readers`, listReaders, async (request) =>
    reading.readers(targetOf(request), accountOf(request), request.caller),
  );

  app.get(`${prefix}/unread`, sumUnread, async (request) => reading.sum(accountOf(request), request.caller));

  app.get(`${prefix}/mentions`, listMentions, async (request, reply) => {
    const { messages, next } = await reading.mentions(request.query, accountOf(request), request.caller);
    if (next !== undefined) linkNext(request, reply, { after: next });
    return messages;
  });

  app.get(`${conversation}/changes`, readChanges, async (request) => {
    const { params, query, caller } = request;
    return await changes.read(params.conversation_id.toLowerCase(), query, accountOf(request), caller);
  });
}

/** The message that the body of a request names. */
function placeOf({ params, body }: Marking): MessageTarget {
  return { conversationId: params.conversation_id.toLowerCase(), number: body.number };
}

interface Marking {
  readonly params: { readonly conversation_id: string };
  readonly body: { readonly number: number };
}
