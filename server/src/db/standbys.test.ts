import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';

import { covers, onlyOnPrimary, type Position } from './position.ts';
import { Standbys, type Candidate } from './standbys.ts';

class Fake implements Candidate {
  isFit = true;
  isPrimary = false;
  isNear = true;
  position: Position = at(0n);
  readonly load = { inFlight: 0, answered: 0 };
  readonly name: string;
  /** Aborts when its last caller has left. */
  over: AbortSignal | undefined;
  arrive: (isThere: boolean) => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  has(wanted: Position): boolean {
    return covers(this.position, wanted);
  }

  mayHaveSoon({ timeline }: Position): boolean {
    return timeline === this.position.timeline && this.isNear;
  }

  async reaches(_wanted: Position, over: AbortSignal): Promise<boolean> {
    this.over = over;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.arrive = resolve;
    over.addEventListener('abort', () => resolve(false), { once: true });
    return await promise;
  }
}

function at(lsn: bigint): Position {
  return { timeline: 1, lsn };
}

function make(names: string, { maxTogether = 100, random = 0 } = {}): { all: Fake[]; standbys: Standbys<Fake> } {
  const all = names.split('').map((name) => new Fake(name));
  return { all, standbys: new Standbys(all, { maxTogether, random: () => random }) };
}

/** The choices of this many turns, with calls that stay in flight or not. */
async function turns(standbys: Standbys<Fake>, count: number): Promise<string> {
  let names = '';
  for (let turn = 0; turn < count; turn += 1) {
    names += standbys.take(undefined, [])?.name;
    await nextTurn();
  }
  return names;
}

test('idle standbys rotate, and processes start with different ones', async () => {
  assert.equal(await turns(make('abc').standbys, 6), 'bcabca');
  assert.equal(await turns(make('abc', { random: 0.5 }).standbys, 6), 'cabcab');
});

test('the one with the fewest calls in flight is chosen', async () => {
  const { all, standbys } = make('abc');
  for (const [index, inFlight] of [5, 2, 9].entries()) Object.assign(all[index]?.load ?? {}, { inFlight });
  assert.equal(await turns(standbys, 4), 'bbbb');
});

test('the primary is chosen only when no standby can answer', async () => {
  const { all, standbys } = make('ab');
  const [first, second] = all;
  assert(first && second);
  first.isPrimary = true;
  second.load.inFlight = 100;
  assert.equal(await turns(standbys, 3), 'bbb');
  second.isFit = false;
  assert.equal(await turns(standbys, 3), 'aaa');
});

test('calls of one turn go to one standby, so that they share a statement', async () => {
  const { standbys } = make('ab');
  const taken = Array.from({ length: 50 }, () => {
    const one = standbys.take(undefined, []);
    if (one !== undefined) one.load.inFlight += 1;
    return one?.name;
  });
  assert.equal(new Set(taken).size, 1);
  await nextTurn();
  assert.notEqual(standbys.take(undefined, [])?.name, taken[0]);
});

for (const [maxTogether, wanted] of [
  [3, 'bbbaaabbbaaa'],
  [1, 'babababababa'],
] as const)
  test(`calls beyond a statement of ${maxTogether} go to the next standby, also within a turn`, () => {
    const { standbys } = make('ab', { maxTogether });
    const taken = Array.from({ length: 12 }, () => {
      const one = standbys.take(undefined, []);
      if (one !== undefined) one.load.inFlight += 1;
      return one?.name;
    });
    assert.equal(taken.join(''), wanted);
  });

test('only one that is fit, fresh enough, and has not just failed is chosen', () => {
  const { all, standbys } = make('abc');
  const [a, b, c] = all;
  assert(a && b && c);
  b.isFit = false;
  c.position = at(10n);
  assert.equal(standbys.take(at(10n), []), c);
  assert.equal(standbys.take(at(11n), []), undefined);
  assert.equal(standbys.take(undefined, [c]), a);
  assert.equal(standbys.take(undefined, [a, c]), undefined);
});

test('one that becomes unfit within a turn is not chosen again in that turn', () => {
  const { standbys } = make('ab');
  const first = standbys.take(undefined, []);
  assert(first);
  first.isFit = false;
  assert.notEqual(standbys.take(undefined, []), first);
});

test('a wait ends with the first standby that reaches the position', async () => {
  const { all, standbys } = make('abc');
  const [a, b, c] = all;
  assert(a && b && c);
  c.isFit = false;
  const waiting = standbys.reach(at(10n), 60_000);
  b.arrive(true);
  await waiting;
  assert.equal(a.over?.aborted, true);
  assert.equal(c.over, undefined, 'one that is left out is not waited for');
});

test('there is no wait when no standby can reach the position in time', async () => {
  const { all, standbys } = make('ab');
  await standbys.reach(onlyOnPrimary, 60_000);
  for (const one of all) one.isNear = false;
  await standbys.reach(at(10n), 60_000);
  assert.deepEqual(
    all.map(({ over }) => over),
    [undefined, undefined],
  );
});

test('a wait continues while one standby may reach the position, and ends at its time-out', async () => {
  const { all, standbys } = make('ab');
  let isOver = false;
  const waiting = standbys.reach(at(10n), 500).then(() => {
    isOver = true;
  });
  all[0]?.arrive(false);
  await nextTurn();
  assert.equal(isOver, false);
  await waiting;
});
