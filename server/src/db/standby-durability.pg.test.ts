import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { assertStandbyDurability } from './standby-durability.ts';

const database = useDatabase();

test('a primary whose commits do not wait for a standby is refused with the settings to change', async () => {
  const { write } = database().endpoints;
  await assert.rejects(assertStandbyDurability(write, 5_000), {
    name: 'OperatorError',
    message: /alter system set synchronous_standby_names = 'ANY 1 \(\*\)'/u,
  });
});
