import { readFile } from 'node:fs/promises';

/**
 * The limit of open files of this process, sockets included; undefined when unlimited or unknown. Node raises the soft
 * limit to the hard one when it starts.
 */
export function openFilesLimit(): number | undefined {
  Object.assign(process.report, { excludeNetwork: true }); // Otherwise the report resolves the names of all peers.
  const report: unknown = process.report.getReport();
  const limits = property(report, 'userLimits');
  const soft = property(property(limits, 'open_files'), 'soft');
  return typeof soft === 'number' ? soft : undefined;
}

/** The limit of another process where Linux provides it; else of this one. */
export async function openFilesLimitOf(pid: number): Promise<number | undefined> {
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '');
  const soft = /^Max open files +(?<soft>\w+)/mu.exec(limits)?.groups?.['soft'];
  if (soft === undefined) return openFilesLimit();
  return soft === 'unlimited' ? undefined : Number(soft);
}

function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
