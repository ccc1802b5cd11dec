import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Endpoint } from './endpoint.ts';
import { findServerProblems, type ServerFacts } from './server-facts.ts';

function at(host: string): Endpoint {
  return { host, port: 5432, user: 'root', database: 'messenger' };
}
const endpoints = { write: at('primary'), read: at('replica') };
const primary: ServerFacts = {
  version: 180_004,
  database: 'messenger',
  maxConnections: 500,
  reservedConnections: 3,
  inRecovery: false,
  readOnly: false,
  systemIdentifier: '7',
  startedAt: '2026-01-28 12:00:00+00',
};
const standby: ServerFacts = { ...primary, inRecovery: true, readOnly: true, startedAt: '2026-01-28 12:00:01+00' };

test('a primary and its standby are fit, and so is a primary alone', () => {
  assert.deepEqual(findServerProblems(endpoints, primary, standby), []);
  assert.deepEqual(findServerProblems(endpoints, primary, primary), []);
});

const unfit: readonly (readonly [name: string, write: ServerFacts, read: ServerFacts, told: RegExp])[] = [
  ['a standby to write to', standby, standby, /primary:5432 is a standby, which takes no writes; DB_WRITE_HOST/u],
  ['a read-only server to write to', { ...primary, readOnly: true }, standby, /primary:5432 is read-only/u],
  ['a standby of another cluster', primary, { ...standby, systemIdentifier: '8' }, /replica:5432 is not a standby of/u],
  ['a copy that was promoted', primary, { ...standby, inRecovery: false, readOnly: false }, /replica:5432 .*promoted/u],
  [
    'another database on the standby',
    primary,
    { ...standby, database: 'other' },
    /"other", the write server for "messenger"/u,
  ],
];
for (const [name, write, read, told] of unfit) {
  test(`${name} is refused, by name`, () => {
    const problems = findServerProblems(endpoints, write, read);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', told);
  });
}
