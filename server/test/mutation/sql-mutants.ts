/** One change of the SQL text of a source file. */
export interface Mutant {
  /** Of the file's text. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly rule: string;
}

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  /** Default: nothing. */
  readonly replacement?: string;
}

const comparisons: Readonly<Record<string, string>> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };
const term = String.raw`[\w."]+(?: (?:desc|asc)\b)?`;

/** Each match of a rule is a mutant. */
const rules: readonly Rule[] = [
  { name: 'drop order by', pattern: new RegExp(String.raw`\border by ${term}(?:, ${term})*`, 'gu') },
  { name: 'drop the first order term', pattern: new RegExp(String.raw`(?<=\border by )${term}, `, 'gu') },
  {
    name: 'drop a later order term',
    pattern: new RegExp(String.raw`(?<=\border by [^)]*?), ${term}(?=[\s,)]|$)`, 'gu'),
  },
  { name: 'ascend', pattern: / desc\b/gu },
  { name: 'equality', pattern: /(?<=[\w)\s])(?:<=|>=|<|>)(?=\s)(?!>)/gu },
  {
    name: 'condition is true',
    pattern: /(?<=\bwhere\s+)(?!\()[^\s`]+(?:\s+(?:=|<|>|<=|>=|is|in)\s+(?:[\w.]+\([^)]*\)|\([^)]*\)|[^\s`)]+))?/gu,
    replacement: 'true',
  },
  {
    name: 'later condition is true',
    pattern: /(?<=\band\s+)[^`]+?(?=\s*(?:\band\b|\border\b|`|\n\s*\)|$))/gu,
    replacement: 'true',
  },
  { name: 'drop limit', pattern: /\blimit (?:\$\d+|[\w.]+)/gu },
  { name: 'drop offset', pattern: /\boffset (?:\$\d+|[\w.]+)/gu },
  { name: 'drop the row lock', pattern: /\bfor (?:no key )?update(?: skip locked)?/gu },
  { name: 'wait for locked rows', pattern: / ?skip locked/gu },
  { name: 'drop distinct', pattern: /\bdistinct (?:on \([^)]*\) )?(?!from)/gu },
  { name: 'union without all', pattern: /(?<=\bunion) all\b/gu },

  { name: 'false is true', pattern: /\bfalse\b/gu, replacement: 'true' },
  { name: 'true is false', pattern: /\btrue\b/gu, replacement: 'false' },
  { name: 'subtract', pattern: /(?<=\s)\+(?=\s)/gu, replacement: '-' },
  {
    name: 'returning null',
    pattern: /(?<=\breturning (?:[^`)]*, )?)(?:\w+\.)?(?<column>\w+)(?=[,\s`]|$)/gu,
    replacement: 'null as $<column>',
  },
];

const literal = /`(?:[^`\\]|\\[^])*`|'(?:[^'\\\n]|\\.)*'/gu;
const sql = /\b(?:select|insert into|update|delete from|merge into)\s[^]*\b(?:from|set|values|using|where)\b/u;

/** The SQL texts of a TypeScript source: its literals that look like a statement, without comments. */
function findTexts(source: string): { readonly start: number; readonly text: string }[] {
  const code = source.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/[^\n]*/gu, (comment) => ' '.repeat(comment.length));
  return [...code.matchAll(literal)]
    .filter(([text]) => sql.test(text))
    .map((match) => ({ start: match.index + 1, text: match[0].slice(1, -1) }));
}

/** Every change of every SQL text of a source, once per rule and place. */
export function findMutants(source: string): Mutant[] {
  return findTexts(source).flatMap(({ start, text }) =>
    rules.flatMap(({ name, pattern, replacement = '' }) =>
      [...text.matchAll(pattern)].map((match): Mutant => ({
        start: start + match.index,
        end: start + match.index + match[0].length,
        replacement:
          name === 'equality'
            ? (comparisons[match[0]] ?? '')
            : match[0].replace(match[0], replacement).replace('$<column>', match.groups?.['column'] ?? ''),
        rule: name,
      })),
    ),
  );
}
