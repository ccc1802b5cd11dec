import type { Finding, Place, Status } from './finding.ts';

/** The output of `--json`, documented in docs/operations.md. Fields may be added, never removed. */
export interface Report {
  /** The most severe status of all findings. */
  readonly status: Status;
  readonly findings: readonly Finding[];
}

export function makeReport(findings: readonly Finding[]): Report {
  const has = (status: Status): boolean => findings.some((one) => one.status === status);
  return { status: has('fail') ? 'fail' : has('warn') ? 'warn' : 'ok', findings };
}

/** Line width; a word without spaces may exceed it. */
const lineWidth = 80;
const indent = 8;

/** Colours a status, or returns it unchanged. */
export type Paint = (text: string, status: Status) => string;

/** A table for each place, with advice below the lines. */
export function renderReport({ findings }: Report, paint: Paint): string {
  const places = [...new Set(findings.map(({ where }) => where))];
  const checkWidth = Math.max(0, ...findings.map(({ check }) => check.length));
  const tables = places.flatMap((place) => [
    titleOf(place),
    ...findings.filter(({ where }) => where === place).flatMap((one) => renderFinding(one, checkWidth, paint)),
    '',
  ]);
  return [...tables, countOf(findings), ''].join('\n');
}

function titleOf(place: Place): string {
  if (place === 'all') return 'all servers together';
  return place === 'here' ? 'this machine and its configuration' : place;
}

function renderFinding({ status, check, found, advice }: Finding, checkWidth: number, paint: Paint): string[] {
  const start = indent + checkWidth + 2;
  const [first = '', ...others] = wrap(found, lineWidth - start);
  return [
    `  ${paint(status.padEnd(4), status)}  ${check.padEnd(checkWidth)}  ${first}`.trimEnd(),
    ...others.map((line) => `${' '.repeat(start)}${line}`),
    ...(advice === undefined
      ? []
      : wrap(`→ ${advice}`, lineWidth - indent).map((line) => `${' '.repeat(indent)}${line}`)),
  ];
}

/** Wraps at spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/u)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function countOf(findings: readonly Finding[]): string {
  const count = (status: Status): string => `${findings.filter((one) => one.status === status).length} ${status}`;
  return [count('ok'), count('warn'), count('fail')].join(', ');
}
