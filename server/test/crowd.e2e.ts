import assert from 'node:assert/strict';
import { test } from 'node:test';

import { proveCrowd } from './chaos/crowd.ts';
import { runInTest } from './chaos/part.ts';
import { withSystem } from './chaos/system.ts';

const onlyLinux = process.platform === 'linux' ? false : 'other systems have one address of the loopback';

test(
  'silent connections beyond the limit of open files end no process, and other clients are served',
  { skip: onlyLinux },
  async () => {
    const { run, seed } = runInTest();
    const options = { silent: 1_400, perSecond: 700, seconds: 8 };
    const { violations, figures } = await withSystem(async (system) => proveCrowd(system, options, run), {}, 600);
    assert.deepEqual(violations, [], `seed ${seed}: ${figures}`);
  },
);
