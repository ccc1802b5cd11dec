import { flagOf, listOptions, showValue, variablesOf, type OptionTable } from './lib/options.ts';
import { needsRestart } from './changed-options.ts';
import type { LoadedConfig } from './config.ts';

/** `docs/configuration.md`, from the table of options. */
export function renderConfigurationPage(table: OptionTable): string {
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
    return [`## ${headings[section] ?? section}`, '', ...tableHead, ...rows, ''].join('\n');
  });
  return [...pageHead, ...sections].join('\n');
}

const headings: Readonly<Record<string, string>> = {
  server: 'Server',
  writeDb: 'Write database (primary)',
  readDb: 'Read database (standby)',
  db: 'Both databases',
  metrics: 'Metrics',
  embedded: 'Embedded databases',
  backup: 'Backups',
  log: 'Log',
  otel: 'Traces',
};

const pageHead = [
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

const tableHead = ['| variable | flag | YAML | kind | default | |', '|---|---|---|---|---|---|'];

function codeOf(value: unknown): string {
  const text = showValue(value);
  return text === undefined ? 'not set' : `\`${text}\``;
}

/** Options that only servers of the operator's own need, and those that only the embedded databases need. */
const ofOwnServers = new Set(['port', 'user', 'password', 'database', 'tls', 'tlsCa']);
const ofEmbedded = new Set(['dataDir', 'binariesDir', 'tuning']);

/** The values in effect, with their sources, for a terminal. Secrets are masked; an option that has no effect shows why. */
export function renderEffectiveConfig(table: OptionTable, { config, sources }: LoadedConfig): string {
  const values: Readonly<Record<string, Readonly<Record<string, unknown>>>> = config;
  const isEmbedded = config.writeDb.host === undefined;
  const rows = listOptions(table).map(({ section, key, yaml, option }) => {
    if (isEmbedded && (section === 'writeDb' || section === 'readDb') && ofOwnServers.has(key))
      return [yaml, '-', 'not used: the databases are embedded'];
    if (!isEmbedded && section === 'embedded' && ofEmbedded.has(key))
      return [yaml, '-', 'not used: DB_WRITE_HOST names the databases'];
    const shown = showValue(values[section]?.[key]) ?? '';
    const masked = option.secret === true && shown !== '' ? '********' : shown;
    return [yaml, masked === '' ? '-' : masked, sources[`${section}.${key}`] ?? 'default'];
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
