/** HTML that is not escaped. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Part = string | number | Markup | readonly Markup[];

/** A template that escapes its values, also inside quoted attributes, unless they are markup. */
export function html(literals: TemplateStringsArray, ...values: readonly Part[]): Markup {
  return new Markup(String.raw({ raw: literals }, ...values.map(toSource)));
}

function toSource(value: Part): string {
  if (value instanceof Markup) return value.source;
  if (typeof value === 'object') return value.map(({ source }) => source).join('\n');
  return String(value).replaceAll(/[&<>"']/gu, (character) => `&#${character.codePointAt(0)};`);
}

/** An element with raw content. Throws when the source contains its end tag. */
export function rawElement(name: 'script' | 'style', source: string): Markup {
  if (source.toLowerCase().includes(`</${name}`)) throw new Error(`the source holds </${name}, which would end it`);
  return new Markup(`<${name}>${source}</${name}>`);
}

/** A value for the scripts of the page, as JSON. */
export function jsonElement(id: string, value: unknown): Markup {
  const source = JSON.stringify(value).replaceAll('<', String.raw`\u003c`);
  return new Markup(`<script type="application/json" id="${id}">${source}</script>`);
}
