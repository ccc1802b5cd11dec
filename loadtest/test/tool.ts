import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Report } from '../src/report.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export interface ToolRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Undefined when it has written none. */
  readonly report: Report | undefined;
  /** The content of all files that it has written. */
  readonly written: string;
}

export interface ToolOptions {
  /** Sends Ctrl-C when it resolves. */
  readonly interrupt?: Promise<void>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the tool as a process. */
export async function runTool(args: readonly string[], { interrupt, env }: ToolOptions = {}): Promise<ToolRun> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-tool-'));
  try {
    const child = spawn(process.execPath, [main, ...args, '--report-dir', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    void interrupt?.then(() => child.kill('SIGINT'));
    await once(child, 'close');
    return { code: child.exitCode, out, err, report: await readReport(folder), written: await readAll(folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readAll(folder: string): Promise<string> {
  const files = await readdir(folder);
  return (await Promise.all(files.map(async (file) => readFile(join(folder, file), 'utf8')))).join('\n');
}

async function readReport(folder: string): Promise<Report | undefined> {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Written by the tool under test.
    return JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Report;
  } catch {
    return undefined;
  }
}
