import { socketPath, subprotocol } from '@messenger/protocol/close-codes';
import { clientFrames, serverFrames } from '@messenger/protocol/frames';
import type { TSchema } from 'typebox';

import type { ApiDescription } from './api-docs.ts';
import { Representation, sendRepresentation } from './representation.ts';
import { jsonType } from './security-headers.ts';
import type { HttpServer } from './server.ts';

/** The frames of one side. `action` is what the server does with them. */
function describeSide(
  side: 'client' | 'server',
  action: 'receive' | 'send',
  frames: Readonly<Record<string, TSchema>>,
) {
  const named = Object.entries(frames).map(([op, schema]) => ({ op, key: `${side}.${op}`, schema }));
  const references = named.map(({ key }) => [key, { $ref: `#/components/messages/${key}` }] as const);
  const messages = named.map(
    ({ op, key, schema }) =>
      [
        key,
        { name: op, title: op, summary: 'description' in schema ? schema.description : undefined, payload: schema },
      ] as const,
  );
  const channel = { $ref: '#/channels/socket' };
  const used = named.map(({ key }) => ({ $ref: `#/channels/socket/messages/${key}` }));
  return { references, messages, operation: { action, channel, messages: used } };
}

/** AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0), generated from the schemas that check the frames. */
export function describeSocket({ title, version }: Pick<ApiDescription, 'title' | 'version'>): object {
  const client = describeSide('client', 'receive', clientFrames);
  const server = describeSide('server', 'send', serverFrames);
  return {
    asyncapi: '3.0.0',
    info: { title: `${title} realtime`, version, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    channels: {
      socket: {
        address: socketPath,
        description: `WebSocket with the subprotocol \`${subprotocol}\`. Frames are JSON objects as text; \`op\` says which one`,
        messages: Object.fromEntries([...client.references, ...server.references]),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
    },
    operations: { hear: client.operation, tell: server.operation },
    components: { messages: Object.fromEntries([...client.messages, ...server.messages]) },
  };
}

/** Serves `/asyncapi.json`. */
export function socketDocs(app: HttpServer, info: Pick<ApiDescription, 'title' | 'version'>): void {
  let document: Representation | undefined;
  app.get('/asyncapi.json', { schema: { hide: true }, config: { access: 'anyone' } }, async (request, reply) => {
    document ??= new Representation(jsonType, JSON.stringify(describeSocket(info)), 'file');
    return await sendRepresentation(request, reply, document);
  });
}
