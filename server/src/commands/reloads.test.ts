import assert from 'node:assert/strict';
import { test } from 'node:test';

import { waitFor } from '../../test/wait-for.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { createLog } from '../telemetry/log.ts';
import { ReloadLoop } from './reloads.ts';

test('each reload causes events for its start and its result, without values of options', async () => {
  const events: string[] = [];
  const outcomes = [
    async (): Promise<readonly string[]> => ['LOG_LEVEL'],
    async (): Promise<never> => {
      throw new OperatorError('LOG_LEVEL = "secret" is not known');
    },
  ];
  const loop = new ReloadLoop({
    reload: async () => (outcomes.shift() ?? assert.fail('too many reloads'))(),
    folder: undefined,
    record: ({ kind, level, text }) => events.push(`${kind} ${level}: ${text}`),
    log: createLog({ level: 'silent', name: 'test', pretty: false }),
  });
  await loop.start();
  loop.request();
  await waitFor('the first to be done', () => events.length === 2);
  loop.request();
  await waitFor('the second to be refused', () => events.length === 4);
  const began = 'configuration info: A reload of the configuration began';
  assert.deepEqual(events, [
    began,
    'configuration info: Reloaded; changed: LOG_LEVEL',
    began,
    'configuration warn: A reload was refused; the log has the reason',
  ]);
});
