import type { Finding, Status } from './finding.ts';

export interface Report {
  /** The worst of all findings. */
  readonly status: Status;
  readonly findings: readonly Finding[];
}

export function makeReport(findings: readonly Finding[]): Report {
  const has = (status: Status): boolean => findings.some((one) => one.status === status);
  return { status: has('fail') ? 'fail' : has('warn') ? 'warn' : 'ok', findings };
}

/** A table for a terminal, with the advice below its line. */
export function renderReport({ findings }: Report): string {
  const width = (key: 'check' | 'where'): number => Math.max(0, ...findings.map((one) => one[key].length));
  const [checkWidth, whereWidth] = [width('check'), width('where')];
  const lines = findings.flatMap(({ status, check, where, found, advice }) => [
    `${status.padEnd(4)}  ${where.padEnd(whereWidth)}  ${check.padEnd(checkWidth)}  ${found}`,
    ...(advice === undefined ? [] : [`${''.padEnd(whereWidth + checkWidth + 10)}→ ${advice}`]),
  ]);
  return [...lines, '', countOf(findings), ''].join('\n');
}

function countOf(findings: readonly Finding[]): string {
  const count = (status: Status): string => `${findings.filter((one) => one.status === status).length} ${status}`;
  return [count('ok'), count('warn'), count('fail')].join(', ');
}
