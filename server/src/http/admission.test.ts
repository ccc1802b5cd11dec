import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';

import { Admission } from './admission.ts';

const maxQueueMs = 100;
/** Far more than the concurrency that is always admitted. */
const many = 1_000;

let now = 0;
let admission: Admission;

beforeEach(() => {
  now = 0;
  admission = new Admission(maxQueueMs, { now: () => now });
});

function beginMany(count: number): number[] {
  return Array.from({ length: count }, () => admission.begin());
}

/** Completes `perMs` requests per millisecond, each after `eachMs`, and starts as many. */
function run(forMs: number, perMs: number, eachMs: number): void {
  const queue = beginMany(perMs * eachMs);
  for (let ms = 0; ms < forMs; ms += 1) {
    now += 1;
    for (let n = 0; n < perMs; n += 1) {
      const began = queue.shift();
      if (now - (began ?? now) < eachMs && began !== undefined) queue.unshift(began);
      else if (began !== undefined) {
        admission.end(began);
        queue.push(admission.begin());
      }
    }
  }
  for (const began of queue) admission.end(began);
}

/** No request completes while new ones arrive. */
function stayStill(): void {
  for (let ms = 0; ms < 300; ms += 1) {
    now += 1;
    admission.isOpen();
  }
}

describe('requests are admitted', () => {
  test('without limit while they complete in time', () => {
    run(1_000, 10, 20);
    beginMany(many);
    assert.equal(admission.isOpen(), true);
  });

  test('although some are slow, because that is not a queue', () => {
    const slow = beginMany(many);
    for (let ms = 0; ms < 1_000; ms += 1) {
      now += 1;
      const quick = admission.begin();
      now += 1;
      admission.end(quick);
      assert.equal(admission.isOpen(), true);
    }
    for (const began of slow.slice(0, 10)) admission.end(began);
    assert.equal(admission.isOpen(), true);
  });

  test('in a burst shorter than a tenth of a second', () => {
    const burst = beginMany(many);
    now += 90;
    assert.equal(admission.isOpen(), true);
    for (const began of burst) admission.end(began);
    now += 20;
    assert.equal(admission.isOpen(), true);
  });

  test('after a stall of the machine', () => {
    const burst = beginMany(many);
    now += 900;
    assert.equal(admission.isOpen(), true);
    now += 50;
    for (const began of burst) admission.end(began);
    run(200, 10, 20);
    beginMany(many);
    assert.equal(admission.isOpen(), true);
  });

  test('while a disk or a lock blocks everything briefly', () => {
    run(500, 10, 20);
    const held = beginMany(many);
    for (let ms = 0; ms < 190; ms += 1) {
      now += 1;
      assert.equal(admission.isOpen(), true);
    }
    for (const began of held) admission.end(began);
    run(200, 10, 20);
    beginMany(many);
    assert.equal(admission.isOpen(), true);
  });

  test('always, if MAX_QUEUE_MS is 0', () => {
    admission = new Admission(0, { now: () => now });
    beginMany(many);
    now += 10_000;
    assert.equal(admission.isOpen(), true);
  });

  test('in small numbers even if none completes, to detect recovery', () => {
    beginMany(many);
    stayStill();
    assert.equal(admission.isOpen(), false);
    admission = new Admission(maxQueueMs, { now: () => now });
    beginMany(10);
    stayStill();
    assert.equal(admission.isOpen(), true);
  });
});

describe('requests are refused', () => {
  test('when none completes', () => {
    beginMany(many);
    stayStill();
    assert.equal(admission.isOpen(), false);
  });

  test('when most exceed the limit, until concurrency is what completes in a quarter of it', () => {
    run(500, 10, 150);
    const atWork = beginMany((10 * maxQueueMs) / 4);
    assert.equal(admission.isOpen(), false);
    admission.end(atWork[0] ?? 0);
    assert.equal(admission.isOpen(), true);
  });

  test('that return at once, before a queue can form again', () => {
    cutDown();
    run(1_000, 1, 1);
    beginMany(2 * many);
    assert.equal(admission.isOpen(), false);
  });

  test('less often the longer none was refused', () => {
    cutDown();
    now += 10_000;
    run(200, 1, 1);
    beginMany(many);
    assert.equal(admission.isOpen(), true);
  });

  test('rarely while all others are fast', () => {
    cutDown();
    let refused = 0;
    for (let n = 0; n < 100; n += 1) {
      const burst = beginMany(300);
      const isOpen = admission.isOpen();
      if (!isOpen) refused += 1;
      now += 10;
      for (const began of burst) admission.end(began);
      now += 40;
    }
    assert.ok(refused > 0 && refused < 50, `${refused} of 100`);
    beginMany(300);
    assert.equal(admission.isOpen(), true);
  });

  test('while more arrive than complete: the queue stays short', () => {
    cutDown();
    const queue: number[] = [];
    for (let ms = 0; ms < 5_000; ms += 1) {
      now += 1;
      for (const began of queue.splice(0, 10)) admission.end(began);
      queue.push(...letIn());
      assert.ok(queue.length < many);
    }
    assert.ok(queue.length <= (1.5 * 10 * maxQueueMs) / 4, `${queue.length}`);
  });

  test('after recovery only if they exceed the capacity', () => {
    const held = beginMany(many);
    stayStill();
    for (const began of held) admission.end(began);
    now += 300;
    run(300, 40, 1);
    assert.ok(letIn().length >= (40 * maxQueueMs) / 4);
  });
});

/** Starts as many as are admitted, up to a maximum. */
function letIn(): number[] {
  const all: number[] = [];
  while (all.length < many && admission.isOpen()) all.push(admission.begin());
  return all;
}

/** After a standing queue: only a few are admitted now. */
function cutDown(): void {
  run(500, 10, 150);
  const atWork = beginMany(many);
  assert.equal(admission.isOpen(), false);
  for (const began of atWork) admission.end(began);
}
