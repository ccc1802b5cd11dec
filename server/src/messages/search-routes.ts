import { SearchQuery, SearchResult } from '@messenger/protocol/search';
import { Type } from 'typebox';

import { accountOf } from '../http/access.ts';
import { withHeaders } from '../http/answer-headers.ts';
import { TokenHeaders } from '../http/consistency.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import type { MessageSearch } from './message-search.ts';

const searchMessages = {
  config: { access: 'signedIn' } as const,
  schema: {
    tags: ['messages'],
    headers: TokenHeaders,
    operationId: 'search_messages',
    summary: 'Search messages, newest first',
    description:
      'In all conversations of which the account is a member now. A word matches words that begin with it; scripts without spaces are found by ' +
      'any part. Deleted messages, and texts before an edit, are not found. Follow the `Link` header for further pages.',
    querystring: SearchQuery,
    response: {
      200: withHeaders(Type.Array(SearchResult, { title: 'SearchPage', description: 'The messages' }), {
        Link: 'On a full page, the address of the next one: `<…>; rel="next"`',
      }),
    },
  },
};

/** Searches by words. */
export function searchRoutes(app: HttpServer, search: MessageSearch): void {
  app.get('/api/v1/search', searchMessages, async (request, reply) => {
    const { results, next } = await search.find(request.query, accountOf(request), request.caller);
    if (next !== undefined) linkNext(request, reply, { cursor: next });
    return results;
  });
}
