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

test('results of some sequential order are accepted, in any order of the calls', () => {
  const both = { first: 'Grace', last: 'Lovelace' };
  assert.ok(isExplained([rename({ last: 'Hopper' }, grace), rename({ first: 'Grace' }, both), get(both)], ada, grace));
  assert.ok(isExplained([remove('user_not_found'), rename(grace, grace), remove('deleted')], ada, undefined));
  assert.ok(isExplained([rename({ first: '' }, '23514'), rename({ last: 'nul\u0000' }, '22021')], ada, ada));
});

test('a lost write, an invented write, and two deletes of one user are rejected', () => {
  const partly = { first: 'Grace', last: 'Lovelace' };
  const other = { first: 'Ada', last: 'Hopper' };
  assert.ok(!isExplained([rename({ first: 'Grace' }, partly), rename({ last: 'Hopper' }, other)], ada, other));
  assert.ok(!isExplained([get(grace)], ada, ada));
  assert.ok(!isExplained([get(ada)], ada, grace));
  assert.ok(!isExplained([remove('deleted'), remove('deleted')], ada, undefined));
});

test('a client that left may have been served or not', () => {
  for (const end of [ada, grace]) assert.ok(isExplained([rename(grace, 'left'), get('left')], ada, end));
});
