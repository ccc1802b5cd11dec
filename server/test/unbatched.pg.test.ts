/**
 * All promises of the API hold with one statement per request, too: its tests again, without batches. With several
 * standbys only the order differs: db/standbys.test.ts.
 */
process.env['DB_BATCHING'] = 'off';

await import('../src/users/users.pg.test.ts');
await import('../src/users/tokens.pg.test.ts');
await import('../src/users/freshness-traps.pg.test.ts');
