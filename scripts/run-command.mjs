import { fileURLToPath } from 'node:url';

import { runOnNode26OrExplain } from '../server/bin/node26.mjs';
import { installWhatIsMissing } from './install.mjs';

const pathOf = (file) => fileURLToPath(new URL(file, import.meta.url));

/** Each command is a file that runs on Node 26, and its first arguments. */
const commands = {
  start: [pathOf('../server/src/main.ts'), 'start'],
  test: [pathOf('run-tests.ts')],
  loadtest: [pathOf('../loadtest/src/main.ts')],
  'bench:tuning': [pathOf('../loadtest/src/main.ts'), 'tuning'],
};

/** Sets the exit code; reports errors on stderr. */
export async function runCommand(name, args) {
  if (!Object.hasOwn(commands, name)) {
    console.error(`usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
    process.exitCode = 2;
    return;
  }
  if (!(await installWhatIsMissing(pathOf('..'), { needsDev: name === 'test' }))) {
    process.exitCode = 1;
    return;
  }
  const [file, ...first] = commands[name];
  await runOnNode26OrExplain(file, [...first, ...args]);
}
