import { accountOf } from '../http/access.ts';
import { linkNext } from '../http/page-link.ts';
import type { HttpServer } from '../http/server.ts';
import { blockPerson, listBlocks, readBlock, unblockPerson } from './block-schemas.ts';
import type { Blocks } from './blocks.ts';

const prefix = '/api/v1/me/blocks';

export interface BlockRoutes {
  readonly blocks: Pick<Blocks, keyof Blocks>;
}

/** Whom the caller blocks. */
export function blockRoutes(app: HttpServer, { blocks }: BlockRoutes): void {
  app.get(prefix, listBlocks, async (request, reply) => {
    const { blocks: rows, next } = await blocks.list(request.query, accountOf(request).userId, request.caller);
    if (next !== undefined) linkNext(request, reply, { after: next });
    return rows;
  });

  app.get(`${prefix}/:user_id`, readBlock, async (request) =>
    blocks.get(request.params.user_id, accountOf(request).userId, request.caller),
  );

  app.put(`${prefix}/:user_id`, blockPerson, async (request, reply) => {
    await blocks.add(request.params.user_id, accountOf(request).userId, request.caller);
    reply.code(204);
    return null;
  });

  app.delete(`${prefix}/:user_id`, unblockPerson, async (request, reply) => {
    await blocks.remove(request.params.user_id, accountOf(request).userId, request.caller);
    reply.code(204);
    return null;
  });
}
