/** The API through a pooler without prepared statements, with DB_PREPARED_STATEMENTS=off. */
import { test } from 'node:test';

import { missingPgBouncer } from './pgbouncer.ts';
import { importPooledSuite } from './pooled-suite.ts';

const missing = missingPgBouncer();
if (missing === undefined) await importPooledSuite({ names: false });
else test('the API works through a pooler without prepared statements', { skip: missing }, () => undefined);
