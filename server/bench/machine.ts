import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

/** The machine, time and place of a measurement, in one line. */
export function describeRun(now: Date): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model.trim() ?? 'unknown'}, ${memory} GiB; ${now.toISOString().slice(0, 10)}; commit ${commit()}`;
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ', changed'}`;
  } catch {
    return 'unknown';
  }
}
