import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkPassword } from './passwords.ts';

const tooShortOrLong = 'must have 12 to 256 characters';
const containsName = 'must not contain the username';

test('a password has 12 to 256 characters, whatever they are', () => {
  assert.equal(checkPassword('elevenchars', 'ada'), tooShortOrLong);
  assert.equal(checkPassword('rg yzb olwm ', 'ada'), undefined);
  assert.equal(checkPassword('x'.repeat(256), 'ada'), undefined);
  assert.equal(checkPassword('x'.repeat(257), 'ada'), tooShortOrLong);
  assert.equal(checkPassword('🦉🌲🚲🎻🧊🪁🦔🥕🏔️🛶🪵', 'ada'), undefined, 'code points, not bytes or UTF-16 units');
  assert.equal(checkPassword('🦉'.repeat(11), 'ada'), tooShortOrLong);
});

test('length counts after NFKC: one ligature is several characters', () => {
  assert.equal(checkPassword('vwkx ﷺ', 'ada'), undefined, '18 characters in one');
  assert.equal(checkPassword('ﷺ'.repeat(15), 'ada'), tooShortOrLong);
  assert.equal(checkPassword('e\u0301'.repeat(11), 'ada'), tooShortOrLong, 'composed: eleven');
});

test('a password that contains the username is refused, in any case and width', () => {
  assert.equal(checkPassword('my name is Ada', 'ada'), containsName);
  assert.equal(checkPassword('my name is ada', 'ADA'), containsName);
  assert.equal(checkPassword('my name is ａｄａ', 'ada'), containsName);
  assert.equal(checkPassword('my name is Grace', 'ada'), undefined);
});

test('a username of one or two characters does not count: it occurs in most texts', () => {
  assert.equal(checkPassword('every good boy', 'go'), undefined);
});

test('a password with the name of this program is refused', () => {
  assert.equal(checkPassword('My-Messenger-42', 'ada'), 'must not contain "messenger"');
});

test('the most common passwords are refused, in any case and width', () => {
  for (const common of ['qwertyqwerty', 'QwertyQwerty', 'ｑwertyqwerty', '1qaz2wsx3edc', 'leavemealone'])
    assert.equal(checkPassword(common, 'ada'), 'is one of the most common passwords', common);
});
