import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findMissingPlatforms, readLockFile } from './lock-file.ts';

const lock = readLockFile(new URL('../package-lock.json', import.meta.url));

test('the lock file names no registry', () => {
  const resolved = Object.values(lock.packages).flatMap((entry) => (entry.link === true ? [] : [entry.resolved]));
  assert.deepEqual(
    resolved.filter((place) => place !== undefined),
    [],
  );
});

test('the lock file holds the packages of all platforms; `npm run lock` completes it', () => {
  assert.deepEqual(findMissingPlatforms(lock), {});
});
