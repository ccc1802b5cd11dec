import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isExplained, type Answered } from './serial-orders.ts';

const ada = { first: 'Ada', last: 'Lovelace' };
const grace = { first: 'Grace', last: 'Hopper' };

function rename(names: Answered['names'], answer: Answered['answer']): Answered {
  return { kind: 'rename', names, answer };
}

function remove(answer: string): Answered {
  return { kind: 'delete', names: {}, answer };
}

function get(answer: Answered['answer']): Answered {
  return { kind: 'get', names: {}, answer };
}

test('answers that some order gives are explained, whatever the order in which they are told', () => {
  const both = { first: 'Grace', last: 'Lovelace' };
  assert.ok(isExplained([rename({ last: 'Hopper' }, grace), rename({ first: 'Grace' }, both), get(both)], ada, grace));
  assert.ok(isExplained([remove('user_not_found'), rename(grace, grace), remove('deleted')], ada, undefined));
  assert.ok(isExplained([rename({ first: '' }, '23514'), rename({ last: 'nul\u0000' }, '22021')], ada, ada));
});

test('a lost write, a write that nobody made, and two who deleted the same user are not explained', () => {
  const partly = { first: 'Grace', last: 'Lovelace' };
  const other = { first: 'Ada', last: 'Hopper' };
  assert.ok(!isExplained([rename({ first: 'Grace' }, partly), rename({ last: 'Hopper' }, other)], ada, other));
  assert.ok(!isExplained([get(grace)], ada, ada));
  assert.ok(!isExplained([get(ada)], ada, grace));
  assert.ok(!isExplained([remove('deleted'), remove('deleted')], ada, undefined));
});

test('who left was served, or was not', () => {
  for (const end of [ada, grace]) assert.ok(isExplained([rename(grace, 'left'), get('left')], ada, end));
});
