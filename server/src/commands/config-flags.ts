import { Option, type Command } from 'commander';

import { optionTable, type LoadedConfig } from '../config.ts';
import { leaveRoot } from '../leave-root.ts';
import { flagOf, listOptions, showValue, variablesOf } from '../lib/options.ts';
import { loadConfig } from '../load-config.ts';
import type { Io } from './io.ts';

const configFlag = '--config';

/** The options that are secrets. */
const secrets = listOptions(optionTable).flatMap(({ option }) => (option.secret === true ? [option.env] : []));

/** Adds a flag for every option of the configuration. Most commands hide them in their help. */
export function addConfigFlags(command: Command, { inHelp }: { readonly inHelp: boolean }): Command {
  command.option(`${configFlag} <file>`, 'YAML file with options [MESSENGER_CONFIG]');
  for (const { option } of listOptions(optionTable)) {
    const fallback = option.defaultText ?? showValue(option.default) ?? 'not set';
    const flag = new Option(
      `${flagOf(option)} <value>`,
      `${option.help} [${variablesOf(option).join(' or ')}; default: ${fallback}]`,
    );
    command.addOption(inHelp && option.secret !== true ? flag : flag.hideHelp());
  }
  if (inHelp)
    command.addHelpText('after', `\nSecrets have no flags: set ${secrets.join(', ')}, or files with the suffix _FILE.`);
  if (!inHelp) command.addHelpText('after', '\nAlso accepts the options of `messenger start`.');
  return command;
}

/** Reads the configuration from the flags, the environment and the file. Throws `ConfigError`. */
export function readConfig(command: Command, env: Readonly<Record<string, string | undefined>>): LoadedConfig {
  const given: Readonly<Record<string, unknown>> = command.opts();
  const flags = new Map<string, string>();
  for (const option of command.options) {
    const value = given[option.attributeName()];
    if (typeof value === 'string' && option.long !== undefined) flags.set(option.long, value);
  }
  return loadConfig({ flags: Object.fromEntries(flags), env, file: flags.get(configFlag) ?? env['MESSENGER_CONFIG'] });
}

/**
 * Reads the configuration and, for embedded databases, switches from root to the owner of the data folder. `givesData`: may
 * create the folder, or change its owner from root, with a warning.
 */
export async function enter(command: Command, io: Io, { givesData }: { givesData: boolean }): Promise<LoadedConfig> {
  const loaded = readConfig(command, io.env);
  const warn = (text: string): void => (givesData ? io.err(`${text}\n`) : undefined);
  if (loaded.config.writeDb.host === undefined) await leaveRoot(loaded.config, { exec: io.exec, givesData, warn });
  return loaded;
}

export function example(line: string): string {
  return `\nExample:\n  ${line}`;
}
