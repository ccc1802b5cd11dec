import assert from 'node:assert/strict';
import type { Profiler } from 'node:inspector';
import { test } from 'node:test';

import { countSamples } from './samples.ts';

function node(
  id: number,
  url: string,
  hitCount: number,
  children: number[] = [],
  functionName = '',
): Profiler.ProfileNode {
  return { id, hitCount, children, callFrame: { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 } };
}

test('samples count by the file of their function, and those of native functions as their caller', () => {
  const nodes = [
    node(1, '', 1, [2, 4, 5, 8], '(root)'),
    node(2, 'file:///srv/server/src/db/batch.ts', 10, [3, 6]),
    node(3, '', 5, [], 'native'),
    node(4, '', 7, [], '(garbage collector)'),
    node(5, 'node:_http_server', 2, [7]),
    node(6, 'file:///srv/node_modules/pg/lib/client.js', 3),
    node(7, 'file:///srv/server/src/http/server.ts', 4),
    node(8, '', 100, [], '(idle)'),
  ];
  assert.deepEqual(countSamples(nodes), { rest: 1, db: 15, gc: 7, nodeHttp: 2, pg: 3, http: 4 });
});
