import assert from 'node:assert/strict';
import { test } from 'node:test';

import { planConnections, type ServerCapacity } from './connection-budget.ts';

const guideServer: ServerCapacity = { name: 'primary', maxConnections: 500, reservedByServer: 3, reserve: undefined };

test("the guide's configuration on two cores gets its hundred connections", () => {
  const budget = planConnections(guideServer, 2, [{ role: 'write', maxOpen: 100, askedBy: undefined }]);
  assert.deepEqual(budget, { maxOpen: { write: 100 }, notes: [], reloadNotes: [], problems: [] });
});

test("the guide's eight workers do not fit: the default shrinks, with a reason for the operator", () => {
  const budget = planConnections(guideServer, 8, [{ role: 'write', maxOpen: 100, askedBy: undefined }]);
  assert.deepEqual(budget.maxOpen, { write: 49 });
  assert.match(budget.notes.join(), /500.*less 3.*less a reserve of 100: 397 remain for 8 workers.*from 100 to 49/u);
});

test('explicit numbers that do not fit are refused with the calculation, not changed', () => {
  const budget = planConnections(guideServer, 8, [{ role: 'write', maxOpen: 100, askedBy: 'DB_WRITE_MAX_OPEN_CONNS' }]);
  assert.deepEqual(budget.maxOpen, {});
  assert.match(budget.problems.join(), /397 remain.*write 100 \(DB_WRITE_MAX_OPEN_CONNS\).*× 8 = 800 do not fit/u);
});

test('two pools to one server share it', () => {
  const budget = planConnections(guideServer, 4, [
    { role: 'write', maxOpen: 100, askedBy: undefined },
    { role: 'read', maxOpen: 100, askedBy: undefined },
  ]);
  assert.deepEqual(budget.maxOpen, { write: 49, read: 49 });
});

test('a default beside an explicit number gets the remainder', () => {
  const budget = planConnections(guideServer, 4, [
    { role: 'write', maxOpen: 90, askedBy: '--db-write-max-open-conns' },
    { role: 'read', maxOpen: 100, askedBy: undefined },
  ]);
  assert.deepEqual(budget.maxOpen, { write: 90, read: 9 });
});

test('a server too small for one connection per worker is refused', () => {
  const tiny: ServerCapacity = { name: 'primary', maxConnections: 10, reservedByServer: 3, reserve: undefined };
  const budget = planConnections(tiny, 8, [{ role: 'write', maxOpen: 100, askedBy: undefined }]);
  assert.match(budget.problems.join(), /5 remain for 8 workers/u);
});

test('a standby without a connection for the probe beside that of the reads is refused', () => {
  const tiny: ServerCapacity = { name: 'standby', maxConnections: 15, reservedByServer: 3, reserve: undefined };
  const wish = { role: 'read', maxOpen: 100, askedBy: undefined } as const;
  assert.match(planConnections(tiny, 5, [wish]).problems.join(), /9 remain for 5 workers/u);
  assert.deepEqual(planConnections(tiny, 4, [wish]).maxOpen, { read: 2 });
});

test('the reserve can be set', () => {
  const budget = planConnections({ ...guideServer, reserve: 0 }, 8, [
    { role: 'write', maxOpen: 100, askedBy: undefined },
  ]);
  assert.deepEqual(budget.maxOpen, { write: 55 });
});

test("the supervisor's connections are never given to a worker", () => {
  const small: ServerCapacity = { name: 'primary', maxConnections: 10, reservedByServer: 0, reserve: 0 };
  const wish = { role: 'write', maxOpen: 10, askedBy: undefined } as const;
  assert.deepEqual(planConnections(small, 1, [wish], 1).maxOpen, { write: 8 });
});

test('during a reload one more worker uses the reserve: a default shrinks if that is too small', () => {
  const small: ServerCapacity = { name: 'The primary', maxConnections: 100, reservedByServer: 3, reserve: undefined };
  const wish = { role: 'write', maxOpen: 100, askedBy: undefined } as const;
  const { maxOpen, notes } = planConnections(small, 1, [wish]);
  assert.deepEqual(maxOpen, { write: 47 });
  assert.match(notes.join(), /77 remain for 1 worker, and one more during a reload; .*from 100 to 47/u);
  assert.deepEqual(planConnections(small, 1, [wish], 1).maxOpen, { write: 77 });
});

test('an explicit number that fits except during a reload is kept, with a warning', () => {
  const small: ServerCapacity = { name: 'The primary', maxConnections: 100, reservedByServer: 3, reserve: undefined };
  const wish = { role: 'write', maxOpen: 60, askedBy: 'DB_WRITE_MAX_OPEN_CONNS' } as const;
  const { maxOpen, problems, reloadNotes } = planConnections(small, 1, [wish]);
  assert.deepEqual([maxOpen, problems], [{ write: 60 }, []]);
  assert.match(reloadNotes.join(), /on the primary write 60 \(DB_WRITE_MAX_OPEN_CONNS\) × 2 = 120 do not fit/u);
});
