import type { Profiler } from 'node:inspector';

/** Where the time of a worker's main thread goes. `rest` is what V8 does not see: kernel, libuv, Node's HTTP parser. */
export const parts = {
  rest: 'kernel, event loop, HTTP parser',
  sockets: 'sockets: reads and writes',
  nodeHttp: "Node's HTTP",
  fastify: 'Fastify: routes, hooks, reply',
  http: 'our HTTP: limits, deadlines, headers',
  validation: 'JSON and validation of requests',
  json: 'JSON of answers',
  users: 'users',
  db: 'our batches and connections',
  pg: 'PostgreSQL client (pg)',
  telemetry: 'metrics and logs',
  tasks: 'promises, timers, events',
  gc: 'garbage collection, main thread',
} as const;
export type Part = keyof typeof parts;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `entries` loses the type of the keys.
export const partNames = Object.keys(parts) as readonly Part[];

/** The first pattern that fits the file of a function decides. */
const files: readonly (readonly [RegExp, Part])[] = [
  [/^node:_http|^node:internal\/http/u, 'nodeHttp'],
  [/^node:(?:net|stream|internal\/stream)/u, 'sockets'],
  [/^node:internal\/(?:process|timers)|^node:(?:timers|events)/u, 'tasks'],
  [
    /\/node_modules\/(?:ajv|secure-json-parse)|\/http\/(?:request-validation|visible-text|request-rules)\.ts$/u,
    'validation',
  ],
  [/\/node_modules\/fast-json-stringify|\/http\/representation\.ts$/u, 'json'],
  [/\/node_modules\/pg/u, 'pg'],
  [/\/node_modules\//u, 'fastify'],
  [/\/server\/src\/(?<folder>db|http|users|telemetry)\//u, 'db'],
];

function partOf({ url, functionName }: Profiler.ProfileNode['callFrame'], caller: Part): Part {
  if (functionName === '(garbage collector)') return 'gc';
  const [found, part] = files.map(([pattern, one]) => [pattern.exec(url), one] as const).find(([fits]) => fits) ?? [];
  const folder = found?.groups?.['folder'];
  if (folder === 'http' || folder === 'users' || folder === 'telemetry') return folder;
  return part ?? caller;
}

/** Samples of each part. Functions without a file of a part, such as native ones, count as their caller. */
export function countSamples(nodes: readonly Profiler.ProfileNode[]): Partial<Record<Part, number>> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const counts: Partial<Record<Part, number>> = {};
  const count = (node: Profiler.ProfileNode | undefined, caller: Part): void => {
    if (node === undefined || node.callFrame.functionName === '(idle)') return;
    const part = partOf(node.callFrame, caller);
    counts[part] = (counts[part] ?? 0) + (node.hitCount ?? 0);
    for (const child of node.children ?? []) count(byId.get(child), part);
  };
  count(nodes[0], 'rest');
  return counts;
}
