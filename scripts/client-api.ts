import { clientFrames, serverFrames } from '@messenger/protocol/frames';

import { createApp } from '../server/src/app.ts';
import { leastOpen } from '../server/src/db/connection-budget.ts';
import { monotonicClock } from '../server/src/lib/clock.ts';
import { loadConfig } from '../server/src/load-config.ts';
import { createLog } from '../server/src/telemetry/log.ts';
import { comment, optional, shapeOf, typeOf, type Schema } from './schema-types.ts';

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const head = `// Generated from /openapi.json and protocol/src/frames.ts by \`npm run docs\`. Do not edit.
/** The types of the API: what REST and the socket send and receive, and the table of all REST calls. */
`;

/** client/src/api.ts: the types of REST and of the socket, without a library. */
export async function renderClientApi(): Promise<string> {
  const { components, paths } = await readOpenApi();
  const named = new Set(Object.keys(components.schemas));
  const operations = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => ({ path, method, ...one })));
  const parts = [
    head,
    ...Object.entries(components.schemas).map(([name, schema]) => declare(name, schema, named)),
    renderFrames('ClientFrames', 'What a client sends on the socket, by `op`.', clientFrames, named),
    renderFrames('ServerFrames', 'What a server sends on the socket, by `op`.', serverFrames, named),
    'export type ClientFrame = ClientFrames[keyof ClientFrames];\nexport type ServerFrame = ServerFrames[keyof ServerFrames];\n',
    `/** Parameters, body and answer of each REST call. */\nexport interface Operations {\n${operations.map((one) => renderOperation(one, named)).join('')}}\n`,
    `/** Method and path of each REST call; paths begin after \`/api/v1\`. */\nexport const operations: Readonly<Record<keyof Operations, string>> = {\n${operations
      .map(
        ({ operationId, method, path }) =>
          `${operationId}: '${method.toUpperCase()} ${path.slice('/api/v1'.length)}',\n`,
      )
      .join('')}};\n`,
  ];
  return indent(parts.join('\n'));
}

/** Two spaces per open brace; no line has more than one brace that counts. */
function indent(text: string): string {
  let depth = 0;
  return text.replaceAll(/^(?! *\/[/*]).+$|^\/\*\*.+$/gmu, (line) => {
    if (line.startsWith('/**')) return '  '.repeat(depth) + line;
    if (line.startsWith('}')) depth -= 1;
    const indented = '  '.repeat(depth) + line;
    if (line.endsWith('{')) depth += 1;
    return indented;
  });
}

function declare(name: string, schema: Schema, named: ReadonlySet<string>): string {
  const shape = shapeOf(schema, named);
  const text = comment(schema.description);
  return shape.startsWith('{')
    ? `${text}export interface ${name} ${shape}\n`
    : `${text}export type ${name} = ${shape};\n`;
}

function renderFrames(name: string, text: string, frames: object, named: ReadonlySet<string>): string {
  const members = Object.entries(frames).map(([op, schema]: [string, Schema]) => {
    return `${comment(schema.description)}readonly ${op}: ${shapeOf(schema, named)};\n`;
  });
  return `${comment(text)}export interface ${name} {\n${members.join('')}}\n`;
}

function renderOperation(operation: Operation & { readonly path: string }, named: ReadonlySet<string>): string {
  const { operationId, summary, requestBody } = operation;
  const parts = [
    ...parametersOf(operation, 'path', named),
    ...parametersOf(operation, 'query', named),
    ...schemasOf(requestBody).map((schema) => `readonly body: ${typeOf(schema, named)};\n`),
    `readonly answer: ${answerOf(operation, named)};\n`,
  ];
  return `${comment(summary)}readonly ${operationId}: {\n${parts.join('')}};\n`;
}

function parametersOf({ parameters = [] }: Operation, place: 'path' | 'query', named: ReadonlySet<string>): string[] {
  const own = parameters.filter((one) => one.in === place);
  if (own.length === 0) return [];
  const members = own.map(
    ({ name, required, schema, description }) =>
      `${comment(description)}readonly ${name}${optional(typeOf(schema, named), required !== true)};\n`,
  );
  const isOptional = own.every(({ required }) => required !== true);
  return [`readonly ${place}${isOptional ? '?' : ''}: {\n${members.join('')}};\n`];
}

function answerOf({ responses }: Operation, named: ReadonlySet<string>): string {
  const types = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .flatMap(([, response]) => schemasOf(response).map((schema) => typeOf(schema, named)));
  return types.length === 0 ? 'undefined' : [...new Set(types)].join(' | ');
}

function schemasOf(part: Content | undefined): Schema[] {
  const schema = part?.content?.['application/json']?.schema;
  return schema === undefined ? [] : [schema];
}

/** Without a database: an app reaches none before its first request. */
async function readOpenApi(): Promise<Document> {
  const nowhere = { host: '127.0.0.1', port: 1, user: '', database: '' };
  const app = await createApp(
    {
      config: loadConfig({ flags: {}, env: {}, file: undefined }).config,
      endpoints: { write: nowhere, reads: [nowhere] },
      maxOpen: leastOpen,
      connectionLimits: { total: 1, perAddress: 0 },
      worker: 1,
      url: '',
      version: '',
    },
    {
      log: createLog({ level: 'silent', name: 'docs', pretty: false }),
      clock: monotonicClock,
      random: Math.random,
      watch: { collect: unused, live: unused, wrongToken: () => undefined },
    },
  );
  const answer = await app.http.inject('/openapi.json');
  await app.http.close();
  await app.close();
  return answer.json<Document>();
}

async function unused(): Promise<never> {
  throw new Error('A document needs no metrics');
}
