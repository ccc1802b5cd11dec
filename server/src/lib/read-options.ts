import { readFileSync, statSync } from 'node:fs';

import { parseDocument, type YAMLError } from 'yaml';

import { messageOf } from './error-code.ts';
import {
  fileVariableOf,
  flagOf,
  listOptions,
  showValue,
  type Option,
  type OptionTable,
  type Values,
  variablesOf,
} from './options.ts';
import { readSecretFile } from './secret-file.ts';

/** Sources of values, in order of precedence: flags, environment (or a secret's file), YAML file, default. */
export interface OptionSources {
  /** By flag, without dashes turned: `{ '--port': '9000' }`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: string | undefined;
}

/** By `section.key`: `default`, or a readable name of the source. */
export type ValueSources = Readonly<Record<string, string>>;

export interface ReadOptions<Table extends OptionTable> {
  readonly values: Values<Table>;
  readonly sources: ValueSources;
  readonly problems: readonly string[];
}

/** Reads every option from its sources. All bad values are reported, and read as their defaults. */
export function readOptions<Table extends OptionTable>(table: Table, sources: OptionSources): ReadOptions<Table> {
  const problems: string[] = [];
  const file = sources.file === undefined ? new Map<string, string>() : readYaml(table, sources.file, problems);
  const from: Record<string, string> = {};
  const values: Record<string, Record<string, unknown>> = {};
  for (const { section, key, yaml, option } of listOptions(table)) {
    const found = [
      readFlag(option, sources.flags, problems),
      readVariables(option, sources.env, problems),
      { source: `${sources.file}: ${yaml}`, raw: file.get(yaml) },
    ].find(({ raw }) => raw !== undefined);
    const parsed = parseFound(option, found?.raw);
    if ('problem' in parsed) problems.push(`${found?.source}: ${parsed.problem}`);
    from[`${section}.${key}`] = found?.source ?? 'default';
    values[section] = { ...values[section], [key]: 'value' in parsed ? parsed.value : option.default };
  }
  for (const section of Object.values(values)) Object.freeze(section);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Filled above, from the table of the type.
  return { values: Object.freeze(values) as Values<Table>, sources: from, problems };
}

interface Found {
  readonly source: string;
  readonly raw: string | undefined;
}

/** The value of the command line. Other users of the machine can read it, so secrets are refused. */
function readFlag(option: Option<unknown>, flags: OptionSources['flags'], problems: string[]): Found {
  const source = flagOf(option);
  const raw = flags[source];
  if (raw === undefined || option.secret !== true) return { source, raw };
  const variables = variablesOf(option).join(' or ');
  problems.push(`${source}: other users of this machine can read the command line; give a secret by ${variables}`);
  return { source, raw: undefined };
}

/**
 * The value of the environment: the variable itself or, for secrets, the file that `…_FILE` names. Both is an error.
 */
function readVariables(option: Option<unknown>, env: OptionSources['env'], problems: string[]): Found {
  const own = { source: option.env, raw: emptyIsUnset(env[option.env]) };
  const source = fileVariableOf(option);
  const path = source === undefined ? undefined : emptyIsUnset(env[source]);
  if (source === undefined || path === undefined) return own;
  const read =
    own.raw === undefined ? readSecretFile(path) : { problem: `${own.source} is also set; use only one of them` };
  if ('secret' in read) return { source, raw: read.secret };
  problems.push(`${source}: ${read.problem}`);
  return { source, raw: undefined };
}

function parseFound<T>(option: Option<T>, raw: string | undefined): ReturnType<Option<T>['parse']> {
  if (raw === undefined) return { value: option.default };
  return raw.trim() === '' ? { problem: 'must not be empty' } : option.parse(raw);
}

/** Without text of the file, which may contain a password. */
function describeSyntaxError({ code, linePos }: YAMLError): string {
  const [start] = linePos ?? [];
  return `line ${start?.line ?? '?'}, column ${start?.col ?? '?'}: not valid YAML (${code})`;
}

/** Compose files and shells set variables to the empty string to unset them. */
function emptyIsUnset(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** Far larger than any configuration; a wrong path may lead to an infinite device. */
const maxBytes = 1_048_576;

function readSmallFile(path: string): string {
  const stats = statSync(path);
  if (stats.isCharacterDevice() || stats.isBlockDevice()) throw new Error('it is a device');
  if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, more than ${maxBytes}`);
  return readFileSync(path, 'utf8');
}

function readYaml(table: OptionTable, path: string, problems: string[]): Map<string, string> {
  const found = new Map<string, string>();
  let content: unknown;
  try {
    const document = parseDocument(readSmallFile(path), { prettyErrors: true });
    for (const error of document.errors) problems.push(`${path}: ${describeSyntaxError(error)}`);
    if (document.errors.length > 0) return found;
    content = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    problems.push(`${path}: cannot be read: ${messageOf(error)}`);
    return found;
  }
  const known = new Set(listOptions(table).map(({ yaml }) => yaml));
  const sections = new Set([...known].map((yaml) => yaml.split('.')[0]));
  for (const [section, keys] of entriesOf(content, path, problems)) {
    if (!sections.has(section)) {
      problems.push(`${path}: ${section}: unknown section; there are ${[...sections].join(', ')}`);
      continue;
    }
    for (const [key, value] of entriesOf(keys, `${path}: ${section}`, problems)) {
      const yaml = `${section}.${key}`;
      const text = textOf(value);
      if (!known.has(yaml)) problems.push(`${path}: ${yaml}: unknown key`);
      else if (text === undefined) problems.push(`${path}: ${yaml}: must be a single value or a list of them`);
      else if (text !== '') found.set(yaml, text);
    }
  }
  return found;
}

function entriesOf(value: unknown, where: string, problems: string[]): [string, unknown][] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value);
  problems.push(`${where}: must be a mapping of keys to values`);
  return [];
}

/** A value of the file as the text of a flag or variable; empty when unset. */
function textOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return '';
  if (!Array.isArray(value)) return showValue(value);
  const words = value.map(textOf);
  return words.includes(undefined) ? undefined : words.join(',');
}
