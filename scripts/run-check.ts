import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';

import { addFailure, emptyOutcome, type Outcome } from './outcome.ts';

interface PackageFile {
  readonly scripts: Readonly<Record<string, string>>;
}

/** Runs one script of package.json as npm would, without its banner. Its output is kept for when it fails. */
export async function runCheck(root: string, name: string, signal: AbortSignal): Promise<Outcome> {
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const child = spawn(`${readScript(root, name)} 2>&1`, {
    cwd: root,
    shell: true,
    env: { ...process.env, PATH: path, ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  });
  const isOk = once(child, 'exit').then(
    ([code]) => code === 0,
    () => false, // Aborted.
  );
  const output = await text(child.stdout);
  const outcome = emptyOutcome();
  if (await isOk) outcome.passed += 1;
  else addFailure(outcome, name, output);
  return outcome;
}

function readScript(root: string, name: string): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm has read the same file before it came to us.
  const file = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageFile;
  const script = file.scripts[name];
  if (script === undefined) throw new Error(`package.json has no script "${name}"`);
  return script;
}
