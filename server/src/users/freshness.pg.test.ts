/** Clients with tokens read their writes, and never older data, at any lag of the standby. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useApp } from '../../test/app.ts';
import { useDatabase } from '../../test/database.ts';
import { disturbReplay, noCounts, runClients, scaled } from '../../test/freshness-clients.ts';
import { usersOf } from '../../test/users.ts';

/** In each of the four runs. `npm run chaos` makes millions. */
const wantedReads = scaled(20_000);

const database = useDatabase();
// The standby is used at any lag.
const app = useApp(database, { env: { DB_READ_MAX_LAG_MS: '600000' } });

for (const longestMs of [5, 20, 60, 150]) {
  test(`no read is stale or older than the last one while replay repeatedly stops for up to ${longestMs} ms`, async () => {
    const { reads } = app().databases;
    const counts = noCounts();
    const before = { ...reads.outcomes };
    const end = new AbortController();
    const disturbed = disturbReplay(async (sql) => database().sqlOnStandby(sql), longestMs, counts, end.signal);
    await runClients(usersOf(app()), counts, wantedReads).finally(() => end.abort());
    await disturbed;
    assert.deepEqual({ stale: counts.stale, back: counts.back }, { stale: 0, back: 0 });
    const byStandby = reads.outcomes.standby + reads.outcomes.waited - before.standby - before.waited;
    assert.ok(byStandby > counts.reads / 2, `the standby answered only ${byStandby} of ${counts.reads}`);
  });
}
