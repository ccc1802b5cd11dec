import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Assertion } from './assertions.ts';
import { buildReport } from './build-report.ts';
import { prepareChat } from './chat/prepare.ts';
import { renderConsoleBlock } from './console-block.ts';
import { loadTypes, type LoadTypeName } from './load-types.ts';
import { measure, withServer, type Driven, type Interrupts, type ServerOptions } from './load-test.ts';
import type { Checks, Plan } from './messages.ts';
import type { MeasuredSecond } from './outcome.ts';
import { Progress, type Screen } from './progress.ts';
import type { Report } from './report.ts';
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
  /** Of type `chat`: where its accounts are kept, and the database in which they are created. */
  readonly peopleFile?: string | undefined;
  readonly database?: string | undefined;
}

/** One run: the progress line, then the console block, and the report's files. */
export async function runLoadTest(options: RunOptions, interrupts: Interrupts, screen: Screen): Promise<Report> {
  return await withServer({ ...options, usesUsersApi: options.type !== 'chat' }, interrupts, async (driven) => {
    const plan = { ...planOf(options, driven), ...(await preparedChat(options, driven, interrupts, screen)) };
    screen.write(`${options.type} on ${driven.target.baseUrl}: ${describe(plan)}\n`);
    const progress = new Progress(screen, durationOf(plan.phases));
    const startedAt = new Date().toISOString();
    const { type, users, durationSeconds, processes, checks, assertions } = options;
    const onSecond = ({ second }: MeasuredSecond): void => progress.show(second);
    const measured = await measure(plan, driven, { ...interrupts, processes, onSecond });
    progress.end();
    const { baseUrl } = driven.target;
    const { tookMs } = measured;
    const interrupted = interrupts.stopping.aborted;
    const run = { type, users, durationSeconds, baseUrl, checks, processes, startedAt, tookMs, interrupted };
    const report = buildReport({ ...measured, run, phases: plan.phases, assertions });
    screen.write(renderConsoleBlock(measured.outcome, report));
    screen.write(`Report     ${await writeReport(options.reportDir, report)}\n`);
    return report;
  });
}

/** Resolves with the path of the page. */
async function writeReport(folder: string, report: Report): Promise<string> {
  const page = join(folder, 'report.html');
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(page, await renderReportPage(report));
  return page;
}

async function preparedChat(
  { type, users, peopleFile, database }: RunOptions,
  { target, databaseUrl: ofStarted }: Driven,
  { stopping }: Interrupts,
  { write: say }: Screen,
): Promise<Pick<Plan, 'chat'>> {
  if (type !== 'chat') return {};
  const databaseUrl = database ?? (await ofStarted?.());
  return { chat: await prepareChat(target, { users, peopleFile, databaseUrl, random: Math.random, stopping, say }) };
}

function planOf(options: RunOptions, { target }: Driven): Plan {
  return {
    type: options.type,
    phases: loadTypes[options.type].phases(options.users, options.durationSeconds),
    address: target.address,
    host: target.host,
    token: target.token,
    checks: options.checks,
    deadlineMs: options.deadlineMs,
    countFromMs: 0,
  };
}

/** `2500 users in 30 s, then …` */
function describe({ phases }: Plan): string {
  return phases.map(({ users, seconds }) => `${users} users in ${seconds} s`).join(', then ');
}
