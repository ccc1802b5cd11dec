import { isDeepStrictEqual } from 'node:util';

import { optionTable, type Config } from './config.ts';
import { listOptions, type Option } from './lib/options.ts';
import { OperatorError } from './lib/operator-error.ts';

/** Options that need a restart: the supervisor uses them. So do all options of the embedded databases. */
const fixed: ReadonlySet<string> = new Set([
  'PORT',
  'ENABLE_PREFORK',
  'HOST',
  'MESSENGER_USER',
  'MESSENGER_RUN_DIR',
  'WORKERS',
  'DURABILITY',
  'START_TIMEOUT_MS',
  'SHUTDOWN_TIMEOUT_MS',
  'DRAIN_DELAY_MS',
  'REALTIME',
  'METRICS_ENABLED',
  'METRICS_PORT',
  'METRICS_HOST',
  'BACKUP_DIR',
  'BACKUP_MAX_AGE_HOURS',
]);

/** Whether the option needs a restart. */
export function needsRestart({ section, option }: { readonly section: string; readonly option: Named }): boolean {
  return section === 'embedded' || fixed.has(option.env);
}

type Named = Pick<Option<unknown>, 'env'>;

/** The names of the options whose values differ. Throws `OperatorError` when one of them needs a restart. */
export function changedOptions(before: Config, after: Config): readonly string[] {
  if ((before.writeDb.host === undefined) !== (after.writeDb.host === undefined))
    throw new OperatorError('Embedded databases cannot be exchanged for others while the server runs; restart it.');
  const changed = listOptions(optionTable).filter(
    ({ section, key }) => !isDeepStrictEqual(valueOf(before, section, key), valueOf(after, section, key)),
  );
  const refused = changed.filter(needsRestart).map(({ option }) => option.env);
  if (refused.length > 0)
    throw new OperatorError(
      `${refused.join(', ')} cannot change while the server runs; restart it, or change it back.`,
    );
  return changed.map(({ option }) => option.env);
}

function valueOf(config: Config, section: string, key: string): unknown {
  const values: Readonly<Record<string, Readonly<Record<string, unknown>>>> = config;
  return values[section]?.[key];
}
