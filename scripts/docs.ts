import { writeFileSync } from 'node:fs';

import { renderConfigurationPage } from '../server/src/configuration-page.ts';
import { optionTable } from '../server/src/config.ts';
import { renderMetricsPage } from '../server/src/metrics-page.ts';
import { metricTable } from '../server/src/telemetry/metric-table.ts';
import { renderDeploymentFiles } from './deployment-files.ts';

/** Writes the documents that are generated. Tests fail when they are stale. */
writeFileSync(new URL('../docs/configuration.md', import.meta.url), renderConfigurationPage(optionTable));
writeFileSync(new URL('../docs/metrics.md', import.meta.url), renderMetricsPage(metricTable));
for (const [path, content] of Object.entries(await renderDeploymentFiles()))
  writeFileSync(new URL(`../${path}`, import.meta.url), content);
