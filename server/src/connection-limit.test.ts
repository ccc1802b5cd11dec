import assert from 'node:assert/strict';
import { test } from 'node:test';

import { limitConnections, type ConnectionPlan } from './connection-limit.ts';

const plan: ConnectionPlan = {
  wanted: 524_288,
  perAddress: undefined,
  databaseConnections: 200,
  openFiles: 20_000,
  isInProcess: false,
};

test('connections to databases take precedence over client connections', () => {
  const few = limitConnections(plan);
  const more = limitConnections({ ...plan, databaseConnections: 700 });
  assert.equal(few.isCut, true);
  assert.equal(few.total - more.total, 500);
  assert.ok(few.total + 200 < 20_000);
  assert.ok(limitConnections({ ...plan, isInProcess: true }).total < few.total);
});

test('MAX_CONNECTIONS applies if the system allows it', () => {
  const asked = { total: 500, perAddress: 250, isCut: false };
  assert.deepEqual(limitConnections({ ...plan, wanted: 500 }), asked);
  assert.equal(limitConnections({ ...plan, openFiles: undefined }).total, 524_288);
});

test('an address can have half of the connections, or the configured number', () => {
  const { total, perAddress } = limitConnections(plan);
  assert.equal(perAddress, Math.ceil(total / 2));
  assert.equal(limitConnections({ ...plan, perAddress: 0 }).perAddress, 0);
  assert.equal(limitConnections({ ...plan, perAddress: 7 }).perAddress, 7);
});

test('a limit of open files that leaves nothing for clients is refused with the calculation', () => {
  assert.throws(
    () => limitConnections({ ...plan, openFiles: 256 }),
    /open 256 files\. A worker needs \d+ .* 200 are/su,
  );
});
