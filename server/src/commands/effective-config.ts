import type { LoadedConfig } from '../config.ts';
import { listOptions, showValue, type OptionTable } from '../lib/options.ts';

/** Options that take effect only with external servers, and only with embedded databases. */
const ofOwnServers = new Set(['port', 'user', 'password', 'database', 'tls', 'tlsCa']);
const ofEmbedded = new Set(['dataDir', 'binariesDir', 'tuning']);

/** The effective values with their sources, for a terminal. Secrets are masked; an option without effect shows why. */
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
