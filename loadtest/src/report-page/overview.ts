import type { Report } from '../report.ts';
import { count, duration, figure, share } from './figures.ts';
import { html, type Markup } from './markup.ts';

const verdicts = { passed: 'Passed', failed: 'Failed', 'generator saturated': 'No verdict: generator saturated' };

/** The verdict, its reasons, and the key figures. */
export function renderVerdict({ verdict, reasons, run, total }: Report): Markup {
  const kind = verdict.replaceAll(' ', '-');
  const interrupted = run.interrupted ? [html`<p>The run was interrupted: the figures are of its first part.</p>`] : [];
  return html`<section class="verdict ${kind}" aria-label="Verdict">
    <h2>${verdicts[verdict]}</h2>
    ${interrupted}
    <ul>
      ${reasons.map((reason) => html`<li>${reason}</li>`)}
    </ul>
    <dl class="key-figures">
      ${fact('Requests', count(total.count))}
      ${fact('Failed', `${count(total.failed)} · ${share(total.failed, total.count)}`)}
      ${fact('Requests/s', figure(total.requestsPerSecond))} ${fact('p50', `${figure(total.p50Ms)} ms`)}
      ${fact('p99', `${figure(total.p99Ms)} ms`)} ${fact('Max', `${figure(total.maxMs)} ms`)}
    </dl>
  </section>`;
}

export function renderRun({ run, machine }: Report): Markup {
  return html`<dl class="facts">
    ${fact('Load', `${run.type}, ${count(run.users)} users, ${duration(run.durationSeconds * 1_000)}`)}
    ${fact('Against', run.baseUrl)} ${fact('Checks', run.checks)} ${fact('Started', run.startedAt)}
    ${fact('Took', duration(run.tookMs))} ${fact('Generator processes', count(run.processes))}
    ${fact('Machine', `${machine.cpu}, ${count(machine.cores)} cores, ${gigabytes(machine.memoryBytes)}`)}
    ${fact('System', `${machine.platform}, Node ${machine.node}`)}
  </dl>`;
}

/** The health of generator and machine, which decides whether the figures can be trusted. */
export function renderHealth({ generator, probe, system, run, total }: Report): Markup {
  const cores = (cpuMs: number): string => `${duration(cpuMs)} · ${figure(cpuMs / Math.max(run.tookMs, 1))} cores`;
  return html`<dl class="facts">
    ${fact('Generator CPU', cores(generator.cpuMs))}
    ${fact('Generator event loop delay', `p99 ${figure(generator.eventLoopDelayP99Ms)} ms · max ${figure(generator.eventLoopDelayMaxMs)} ms`)}
    ${fact('Late sends of the generator', `p99 ${figure(generator.lateStartsP99Ms)} ms`)}
    ${fact('Stalls of the machine', `p99 ${figure(probe.p99StallMs)} ms · max ${figure(probe.maxStallMs)} ms`)}
    ${system === undefined ? [] : [fact('Server CPU', cores(system.serverCpuMs)), fact('Databases CPU', cores(system.databasesCpuMs))]}
    ${system === undefined ? [] : renderCost(system, total.count)}
  </dl>`;
}

function renderCost(system: NonNullable<Report['system']>, requests: number): Markup {
  const each = (cpuMs: number): string => `${figure((cpuMs * 1_000) / Math.max(requests, 1))} µs`;
  return fact('CPU per request', `server ${each(system.serverCpuMs)} · databases ${each(system.databasesCpuMs)}`);
}

function fact(name: string, value: string): Markup {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

const gigabytes = (bytes: number): string => `${figure(bytes / 2 ** 30)} GiB`;
