/** The API through a real PgBouncer in transaction mode, as deploy/pgbouncer has it: with prepared statements. */
import { test } from 'node:test';

import { missingPgBouncer } from './pgbouncer.ts';
import { importPooledSuite } from './pooled-suite.ts';

const missing = missingPgBouncer();
if (missing === undefined) await importPooledSuite({ names: true });
else test('the API works through PgBouncer', { skip: missing }, () => undefined);
