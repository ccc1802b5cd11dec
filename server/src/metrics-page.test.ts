import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { renderMetricsPage } from './metrics-page.ts';
import { metricTable } from './telemetry/metric-table.ts';

test('docs/metrics.md is what the table says; `npm run docs` writes it anew', () => {
  assert.equal(readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8'), renderMetricsPage(metricTable));
});
