/**
 * All that the API promises holds with one statement per request, too: its tests, once more, without batches. Of several
 * standbys, only the order differs then: db/standbys.test.ts.
 */
process.env['DB_BATCHING'] = 'off';

await import('../src/users/users.pg.test.ts');
await import('../src/http/requests.pg.test.ts');
await import('../src/http/outage.pg.test.ts');
await import('../src/users/tokens.pg.test.ts');
await import('../src/users/freshness-traps.pg.test.ts');
await import('../src/users/freshness.pg.test.ts');
