import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Assertion } from './assertions.ts';
import { buildReport } from './build-report.ts';
import { renderConsoleBlock } from './console-block.ts';
import { loadTypes, type LoadTypeName } from './load-types.ts';
import { measure, withServer, type Driven, type Interrupts, type ServerOptions } from './load-test.ts';
import type { Checks, Plan } from './messages.ts';
import type { MeasuredSecond } from './outcome.ts';
import { Progress, type Screen } from './progress.ts';
import type { Report, RunFacts } from './report.ts';
import { renderReportPage } from './report-page.ts';
import { durationOf } from './schedule.ts';

export interface RunOptions extends ServerOptions {
  readonly type: LoadTypeName;
  readonly users: number;
  readonly durationSeconds: number;
  readonly processes: number;
  readonly checks: Checks;
  readonly deadlineMs: number;
  readonly assertions: readonly Assertion[];
}

/** Carries out one run: the live line, then the console block, and the files of the report. */
export async function runLoadTest(options: RunOptions, interrupts: Interrupts, screen: Screen): Promise<Report> {
  return await withServer(options, interrupts, async (driven) => {
    const plan = planOf(options, driven);
    screen.write(`${options.type} on ${driven.target.baseUrl}: ${describe(plan)}\n`);
    const progress = new Progress(screen, durationOf(plan.phases));
    const startedAt = new Date().toISOString();
    const { processes } = options;
    const onSecond = ({ second }: MeasuredSecond): void => progress.show(second);
    const measured = await measure(plan, driven, { ...interrupts, processes, onSecond });
    progress.end();
    const run = runFacts(options, driven, startedAt, measured.tookMs, interrupts.stopping.aborted);
    const report = buildReport({ ...measured, run, phases: plan.phases, assertions: options.assertions });
    screen.write(renderConsoleBlock(measured.outcome, report));
    screen.write(`Report     ${await writeReport(options.reportDir, report)}\n`);
    return report;
  });
}

/** For programs and for people. Resolves with the path of the page. */
async function writeReport(folder: string, report: Report): Promise<string> {
  const page = join(folder, 'report.html');
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(page, await renderReportPage(report));
  return page;
}

function planOf(options: RunOptions, { target }: Driven): Plan {
  return {
    type: options.type,
    phases: loadTypes[options.type].phases(options.users, options.durationSeconds),
    address: target.address,
    host: target.host,
    checks: options.checks,
    deadlineMs: options.deadlineMs,
    countFromMs: 0,
  };
}

/** `2500 users in 30 s, then …` */
function describe({ phases }: Plan): string {
  return phases.map(({ users, seconds }) => `${users} users in ${seconds} s`).join(', then ');
}

function runFacts(
  { type, users, durationSeconds, checks, processes }: RunOptions,
  { target }: Driven,
  startedAt: string,
  tookMs: number,
  interrupted: boolean,
): RunFacts {
  return { type, users, durationSeconds, baseUrl: target.baseUrl, checks, processes, startedAt, tookMs, interrupted };
}
