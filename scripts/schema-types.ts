/** A JSON Schema, as TypeBox and OpenAPI 3.1 write it. */
export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const plainTypes: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
};

/** The text of a TypeScript type. A schema whose title is among the `named` ones is written as that name. */
export function typeOf(schema: Schema, named: ReadonlySet<string>): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? 'unknown';
  if (schema.title !== undefined && named.has(schema.title)) return schema.title;
  return shapeOf(schema, named);
}

/** The same without the name of the schema itself. */
export function shapeOf(schema: Schema, named: ReadonlySet<string>): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeOf(one, named)).join(' | ');
  if (schema.items !== undefined) return `readonly ${arrayOf(typeOf(schema.items, named))}`;
  if (schema.properties !== undefined) return `{\n${propertiesOf(schema, schema.properties, named)}}`;
  if (schema.patternProperties !== undefined) {
    const values = Object.values(schema.patternProperties).map((one) => typeOf(one, named));
    return `Readonly<Record<string, ${values.join(' | ')}>>`;
  }
  return plainTypes[schema.type ?? ''] ?? 'unknown';
}

/** `: type`, or `?: type | undefined`: JSON omits what is undefined. */
export function optional(type: string, isOptional: boolean): string {
  return isOptional ? `?: ${type} | undefined` : `: ${type}`;
}

function arrayOf(item: string): string {
  return /^\w+$/u.test(item) ? `${item}[]` : `(${item})[]`;
}

function propertiesOf(
  { required = [] }: Schema,
  properties: NonNullable<Schema['properties']>,
  named: ReadonlySet<string>,
): string {
  return Object.entries(properties)
    .map(([name, one]) => {
      const key = /^\w+$/u.test(name) ? name : JSON.stringify(name);
      return `${comment(one.description)}readonly ${key}${optional(typeOf(one, named), !required.includes(name))};\n`;
    })
    .join('');
}

/** A comment in a line of its own; empty without a text. */
export function comment(text: string | undefined): string {
  return text === undefined ? '' : `/** ${text.replaceAll('*/', '* /')} */\n`;
}
