/** Options of a program, each declared once; parsing, help and documentation are derived from them. */

export interface Option<T> {
  /** The environment variable; the flag's name is derived from it. */
  readonly env: string;
  readonly help: string;
  readonly kind: string;
  readonly default: T;
  /** Shown as the default when the value depends on the machine. */
  readonly defaultText?: string | undefined;
  /**
   * Masked when values are shown, refused as a flag; can be read from a file, named by the variable with the suffix
   * `_FILE`.
   */
  readonly secret?: boolean | undefined;
  readonly parse: (raw: string) => Parsed<T>;
}

type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** Sections of options. YAML uses the same names in snake_case. */
export type OptionTable = Readonly<Record<string, Readonly<Record<string, Option<unknown>>>>>;

export type Values<Table extends OptionTable> = {
  readonly [Section in keyof Table]: {
    readonly [Key in keyof Table[Section]]: Table[Section][Key] extends Option<infer T> ? T : never;
  };
};

interface Declaration<T> {
  readonly env: string;
  readonly help: string;
  readonly default: T;
  readonly defaultText?: string;
  readonly secret?: boolean;
}

export function integer(declared: Declaration<number> & { min: number; max: number }): Option<number> {
  return { ...declared, ...integerRule(declared) };
}

/** An integer without a default: the program decides. */
export function optionalInteger(
  declared: Omit<Declaration<undefined>, 'default'> & { min: number; max: number },
): Option<number | undefined> {
  return { ...declared, default: undefined, ...integerRule(declared) };
}

function integerRule({ min, max }: { min: number; max: number }): Pick<Option<number>, 'kind' | 'parse'> {
  return {
    kind: `integer, ${min}–${max}`,
    parse: (raw) => {
      const value = /^[+-]?\d{1,15}$/u.test(raw.trim()) ? Number(raw) : Number.NaN;
      const fits = value >= min && value <= max;
      return fits ? { value } : { problem: `must be a whole number from ${min} to ${max}` };
    },
  };
}

/** A fraction from 0 to 1. */
export function fraction(declared: Declaration<number>): Option<number> {
  return {
    ...declared,
    kind: 'number, 0–1',
    parse: (raw) => {
      const value = /^\d*\.?\d+$/u.test(raw.trim()) ? Number(raw) : Number.NaN;
      return value >= 0 && value <= 1 ? { value } : { problem: 'must be a number from 0 to 1' };
    },
  };
}

export function boolean(declared: Declaration<boolean>): Option<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };
  return {
    ...declared,
    kind: 'true or false',
    parse: (raw) => {
      const value = words[raw.trim().toLowerCase()];
      return value === undefined ? { problem: 'must be true or false' } : { value };
    },
  };
}

export function text(declared: Declaration<string>): Option<string> {
  return { ...declared, kind: 'text', parse: (value) => ({ value }) };
}

export function optionalText(declared: Omit<Declaration<undefined>, 'default'>): Option<string | undefined> {
  return { ...declared, default: undefined, kind: 'text', parse: (value) => ({ value }) };
}

export function choice<const T extends string>(declared: Declaration<T> & { of: readonly T[] }): Option<T> {
  return {
    ...declared,
    kind: declared.of.join(', '),
    parse: (wanted) => {
      const value = declared.of.find((one) => one === wanted.trim());
      return value === undefined ? { problem: `must be one of: ${declared.of.join(', ')}` } : { value };
    },
  };
}

/** A choice without a default: the program decides. */
export function optionalChoice<const T extends string>(
  declared: Omit<Declaration<undefined>, 'default'> & { of: readonly T[] },
): Option<T | undefined> {
  const [first] = declared.of;
  if (first === undefined) throw new Error(`${declared.env} has nothing to choose from`);
  return { ...choice({ ...declared, default: first }), default: undefined };
}

/** Comma-separated. */
export function list(declared: Declaration<readonly string[]>): Option<readonly string[]> {
  return {
    ...declared,
    kind: 'list, separated by commas',
    parse: (words) => ({
      value: words
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== ''),
    }),
  };
}

/** Comma-separated, optional. No item may be empty. */
export function optionalList(declared: Omit<Declaration<undefined>, 'default'>): Option<readonly string[] | undefined> {
  const kind = 'text, or several separated by commas';
  return { ...declared, default: undefined, kind, parse: (words) => parseWords(words, (word) => ({ value: word })) };
}

/** At least one integer, comma-separated. */
export function integers(
  declared: Declaration<readonly number[]> & { min: number; max: number },
): Option<readonly number[]> {
  const { kind, parse } = integerRule(declared);
  return { ...declared, kind: `${kind}, or several separated by commas`, parse: (words) => parseWords(words, parse) };
}

function parseWords<T>(words: string, parse: (word: string) => Parsed<T>): Parsed<readonly T[]> {
  const value: T[] = [];
  for (const word of words.split(',').map((one) => one.trim())) {
    const parsed: Parsed<T> = word === '' ? { problem: 'must not contain empty items' } : parse(word);
    if ('problem' in parsed) return parsed;
    value.push(parsed.value);
  }
  return { value };
}

/** `DB_WRITE_HOST` becomes `--db-write-host`; the product's own prefix is omitted. */
export function flagOf(option: Pick<Option<unknown>, 'env'>): string {
  return `--${option.env
    .replace(/^MESSENGER_/u, '')
    .toLowerCase()
    .replaceAll('_', '-')}`;
}

/** The variable that names a file with the value; for secrets only. */
export function fileVariableOf({ env, secret }: Pick<Option<unknown>, 'env' | 'secret'>): string | undefined {
  return secret === true ? `${env}_FILE` : undefined;
}

/** All variables that can set an option. */
export function variablesOf(option: Pick<Option<unknown>, 'env' | 'secret'>): string[] {
  const fileVariable = fileVariableOf(option);
  return fileVariable === undefined ? [option.env] : [option.env, fileVariable];
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

/** Every option of a table, with the path of its value. */
export function listOptions(
  table: OptionTable,
): { readonly section: string; readonly key: string; readonly yaml: string; readonly option: Option<unknown> }[] {
  return Object.entries(table).flatMap(([section, options]) =>
    Object.entries(options).map(([key, option]) => ({
      section,
      key,
      yaml: `${snakeCase(section)}.${snakeCase(key)}`,
      option,
    })),
  );
}

/** A value as text, for documents, help and listings. Undefined when there is none. */
export function showValue(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(', ');
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `${value}` : undefined;
}
