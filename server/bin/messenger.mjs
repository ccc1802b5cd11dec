#!/usr/bin/env node
import { fileURLToPath } from 'node:url';

import { runOnNode26OrExplain } from './node26.mjs';

await runOnNode26OrExplain(fileURLToPath(new URL('../src/main.ts', import.meta.url)), process.argv.slice(2));
