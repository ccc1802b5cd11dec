import { writeFileSync } from 'node:fs';

import { renderConfigurationPage } from '../server/src/configuration-page.ts';
import { optionTable } from '../server/src/config.ts';
import { renderDeploymentFiles } from './deployment-files.ts';

/** Writes the documents that are generated. Tests fail when they are stale. */
writeFileSync(new URL('../docs/configuration.md', import.meta.url), renderConfigurationPage(optionTable));
for (const [path, content] of Object.entries(await renderDeploymentFiles()))
  writeFileSync(new URL(`../${path}`, import.meta.url), content);
