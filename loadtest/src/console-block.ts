/** The guide's (Gatling's) console block: for the whole run, then for each kind of request, then the errors. */
import { violationKinds } from './chat/violations.ts';
import type { Distribution } from './distribution.ts';
import type { Outcome, RequestOutcome } from './outcome.ts';
import type { Report } from './report.ts';

const width = 80;
const line = '='.repeat(width);

export function renderConsoleBlock(outcome: Outcome, report: Report): string {
  const seconds = report.run.tookMs / 1000;
  const made = [...outcome.requests.values()].filter(({ ok, failed }) => ok.count + failed.count > 0);
  const blocks = [outcome.total(), ...made].map((one) => renderBlock(one, seconds));
  return [
    line,
    ...blocks,
    ...renderPhases(report),
    ...renderErrors(report),
    ...renderViolations(report),
    line,
    ...renderSurroundings(report),
    '',
  ].join('\n');
}

function title(text: string): string {
  return `---- ${text} `.padEnd(width, '-');
}

/** One block of the guide; the rate is over `seconds`. */
export function renderBlock(outcome: RequestOutcome, seconds: number): string {
  const { ok, failed } = outcome;
  const all = outcome.all();
  const row = (name: string, of: (one: Distribution) => number, digits = 0): string =>
    renderRow(
      name,
      [all, ok, failed].map((one) => (one.count === 0 ? '-' : of(one).toFixed(digits))),
    );
  return [
    title(outcome.name),
    renderRow(
      'request count',
      [all, ok, failed].map(({ count }) => String(count)),
    ),
    row('min response time', ({ minMs }) => minMs),
    row('max response time', ({ maxMs }) => maxMs),
    row('mean response time', ({ meanMs }) => meanMs),
    row('std deviation', ({ stdDevMs }) => stdDevMs),
    ...[50, 75, 95, 99].map((percent) =>
      row(`response time ${percent}th percentile`, (one) => one.percentileMs(percent)),
    ),
    row('mean requests/sec', (one) => one.count / seconds, 3),
    ...renderDistribution(outcome),
  ].join('\n');
}

function renderCell(name: string, value: string): string {
  return `> ${name.padEnd(49)}${value.padStart(7)}`;
}

function renderRow(name: string, [all = '', ok = '', failed = '']: readonly string[]): string {
  return `${`${renderCell(name, all)} (OK=${ok.padEnd(6)} KO=${failed}`.padEnd(width - 1)})`;
}

function renderDistribution({ ok, failed }: RequestOutcome): string[] {
  const count = ok.count + failed.count;
  const row = (name: string, part: number): string => {
    const percent = String(count === 0 ? 0 : Math.round((part / count) * 100)).padStart(3);
    return `${renderCell(name, String(part))} (${percent}%)`;
  };
  return [
    title('Response Time Distribution'),
    row('t < 100 ms', ok.under100Ms),
    row('100 ms <= t < 500 ms', ok.under500Ms),
    row('t >= 500 ms', ok.count - ok.under100Ms - ok.under500Ms),
    row('failed', failed.count),
  ];
}

/** For a run with several arrival phases: figures for the whole run would be dominated by the busiest phase. */
function renderPhases({ phases }: Report): string[] {
  if (phases.length < 2) return [];
  const rows = phases.map(({ fromSecond, toSecond, users, count, failed, p50Ms, p99Ms, maxMs }) => {
    const rate = (users / (toSecond - fromSecond)).toFixed(0);
    const times = `p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)}, max ${maxMs.toFixed(0)} ms`;
    return `> ${fromSecond}–${toSecond} s, ${rate} users/s: ${count} requests, ${failed} failed; ${times}`;
  });
  return [title('Phases'), ...rows];
}

function renderErrors({ errors, total }: Report): string[] {
  if (errors.length === 0) return [];
  const rows = errors.map(({ request, kind, count, example }) => {
    const text = `${request}: ${kind}${example === undefined ? '' : ` (${example})`}`;
    const percent = ((count / total.failed) * 100).toFixed(2);
    return `${renderCell(text, String(count))} (${percent.padStart(6)}%)`;
  });
  return [title('Errors'), ...rows];
}

/** Of a chat, also when there are none: the checks are the point. */
function renderViolations({ chat }: Report): string[] {
  if (chat === undefined) return [];
  const { violations, conversations, messages, socketEnds } = chat;
  const rows = violations.flatMap(({ kind, count, sample }) => [
    renderCell(kind, String(count)),
    `    ${violationKinds[kind]}, e.g. ${sample}`,
  ]);
  const ends = socketEnds.map(({ code, count }) => `${code} (${count})`).join(', ');
  return [
    title('Checks of the chat'),
    ...(rows.length === 0 ? ['> no violation'] : rows),
    `> ${messages} messages in ${conversations} conversations${ends === '' ? '' : `; sockets ended with ${ends}`}`,
  ];
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function renderSurroundings({ generator, probe, system, verdict, reasons }: Report): string[] {
  const systemCpu =
    system === undefined
      ? 'system under test: not visible on this machine'
      : `server ${inSeconds(system.serverCpuMs)} + databases ${inSeconds(system.databasesCpuMs)}`;
  const { lateStartsP99Ms: late, eventLoopDelayP99Ms: delay, eventLoopDelayMaxMs: maxDelay } = generator;
  return [
    `CPU        load test ${inSeconds(generator.cpuMs)}; ${systemCpu}`,
    `Generator  p99 of lateness ${late.toFixed(1)} ms; event-loop delay p99 ${delay.toFixed(1)} ms, max ${maxDelay.toFixed(1)} ms`,
    `Machine    stalls of an idle process: p99 ${probe.p99StallMs.toFixed(1)} ms, max ${probe.maxStallMs.toFixed(1)} ms`,
    `Verdict    ${verdict}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`,
  ];
}
