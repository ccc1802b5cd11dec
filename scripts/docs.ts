import { writeFileSync } from 'node:fs';

import { needsRestart } from '../server/src/changed-options.ts';
import { runProgram } from '../server/src/commands/program.ts';
import { optionTable } from '../server/src/config.ts';
import { flagOf, listOptions, showValue, variablesOf, type OptionTable } from '../server/src/lib/options.ts';
import { metricTable, type MetricDeclaration } from '../server/src/telemetry/metric-table.ts';
import { renderClientApi } from './client-api.ts';
import { renderRealtimePage } from './realtime-page.ts';
import { renderRightsPage } from './rights-page.ts';

function renderConfigurationPage(table: OptionTable): string {
  const sections = Object.keys(table).map((section) => {
    const rows = listOptions(table)
      .filter((one) => one.section === section)
      .map((one) => {
        const { yaml, option } = one;
        const fallback = option.defaultText ?? codeOf(option.default);
        const variables = variablesOf(option).map((name) => `\`${name}\``);
        const flag = option.secret === true ? 'none' : `\`${flagOf(option)}\``;
        return `| ${variables.join(' or ')} | ${flag} | \`${yaml}\` | ${option.kind} | ${fallback} | ${option.help}${needsRestart(one) ? ' ⟳' : ''} |`;
      });
    return [`## ${configurationHeadings[section] ?? section}`, '', ...configurationTableHead, ...rows, ''].join('\n');
  });
  return [...configurationPageHead, ...sections].join('\n');
}

const configurationHeadings: Readonly<Record<string, string>> = {
  server: 'Server',
  writeDb: 'Write database (primary)',
  readDb: 'Read database (standby)',
  db: 'Both databases',
  sockets: 'Sockets',
  metrics: 'Metrics',
  embedded: 'Embedded databases',
  backup: 'Backups',
  log: 'Log',
  otel: 'Traces',
};

const configurationPageHead = [
  '<!-- Generated from server/src/config.ts by `npm run docs`. Do not edit. -->',
  '',
  '# Configuration',
  '',
  '`messenger config` prints the values in effect and their sources. A flag overrides an environment variable, which overrides',
  'the YAML file of `--config` (or `MESSENGER_CONFIG`), which overrides the default. An empty variable counts as not set. All',
  'problems are reported at once, each with its source, with exit code 78.',
  '',
  'A secret can come from a file: its variable with the suffix `_FILE` names the file, as for Docker secrets and systemd',
  'credentials. One newline at the end is ignored. Setting both variables is an error. Secrets have no flags, because other users',
  'of the machine can read the command line.',
  '',
  '`messenger reload` (or SIGHUP) rereads the YAML file and the secret files. Options marked ⟳ need a restart, and so do changed',
  'flags and variables.',
  '',
];

const configurationTableHead = ['| variable | flag | YAML | kind | default | |', '|---|---|---|---|---|---|'];

function codeOf(value: unknown): string {
  const text = showValue(value);
  return text === undefined ? 'not set' : `\`${text}\``;
}

const metricsPageHead = [
  '<!-- Generated from server/src/telemetry/metric-table.ts by `npm run docs`. Do not edit. -->',
  '',
  '# Metrics',
  '',
  'All metrics of `/metrics`; any worker answers for all workers and the supervisor. Access:',
  '[operations.md](operations.md#metrics-and-ops). Durations are in seconds, sizes in bytes. Counters and histograms are sums over all',
  'workers since the server started, dead ones included; other values are sums over the workers that answered.',
  '',
  '| metric | kind | labels | |',
  '|---|---|---|---|',
];

function renderMetricsPage(table: Readonly<Record<string, MetricDeclaration>>): string {
  const rows = Object.entries(table).map(([name, { kind, labels, help, buckets, across }]) => {
    const bounds = buckets === undefined ? '' : `. Buckets: ${buckets.join(', ')}`;
    const worst = across === 'max' ? '. The largest of all workers' : '';
    return `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help}${worst}${bounds} |`;
  });
  return [...metricsPageHead, ...rows, ''].join('\n');
}

/** The machine of compose.yaml: each database server has 1 GB, as in the guide, and the machine has four cores. */
const tuneArguments = 'tune --memory 1GB --cpus 4 --workers 4 --storage ssd --format compose';

async function renderTuned(): Promise<string> {
  let text = `# Extended by compose.yaml. For your own machine: npx messenger ${tuneArguments} > deploy/tuned.yaml\n`;
  const add = (part: string): void => void (text += part);
  const io = { env: {}, out: add, err: add, errIsTerminal: false, onSignal: () => undefined, exec: '', version: '' };
  await runProgram(tuneArguments.split(' '), io);
  return text;
}

/** Files that are generated from the code, by path. `npm run docs` writes them; a test compares them. */
export async function renderGeneratedFiles(): Promise<Readonly<Record<string, string>>> {
  return {
    'docs/configuration.md': renderConfigurationPage(optionTable),
    'docs/metrics.md': renderMetricsPage(metricTable),
    'docs/realtime.md': renderRealtimePage(),
    'docs/rights.md': renderRightsPage(),
    'deploy/tuned.yaml': await renderTuned(),
    'client/src/api.ts': await renderClientApi(),
  };
}

if (import.meta.main)
  for (const [path, content] of Object.entries(await renderGeneratedFiles()))
    writeFileSync(new URL(`../${path}`, import.meta.url), content);
