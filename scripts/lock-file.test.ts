import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { nodePackage } from '../server/bin/node26.mjs';
import { findMissingPlatforms, readLockFile } from './lock-file.ts';

const lock = readLockFile(new URL('../package-lock.json', import.meta.url));

test('the lock file names no registry', () => {
  const resolved = Object.values(lock.packages).flatMap((entry) => (entry.link === true ? [] : [entry.resolved]));
  assert.deepEqual(
    resolved.filter((place) => place !== undefined),
    [],
  );
});

test('the lock file contains the packages of all platforms; `npm run lock` completes it', () => {
  assert.deepEqual(findMissingPlatforms(lock), {});
});

test('everything that a server runs is in the lock file with its hash, including Node', () => {
  const installed = Object.entries(lock.packages).filter(
    ([path, { dev }]) => /node_modules/u.test(path) && dev !== true,
  );
  const unchecked = installed.filter(([, { link, integrity }]) => link !== true && integrity === undefined);
  assert.deepEqual(
    unchecked.map(([path]) => path),
    [],
  );
  assert.ok(installed.some(([path]) => path === `node_modules/${nodePackage}`));
});

test('no package runs a script during installation', () => {
  assert.match(readFileSync(new URL('../.npmrc', import.meta.url), 'utf8'), /^ignore-scripts=true$/mu);
});
