/**
 * The same OpenAPI document with each schema that has a title in `components.schemas`, and a reference where it was: generated clients
 * name their types by it. Two schemas with one title must be equal.
 */
export function shareSchemas(document: object): object {
  const schemas: Record<string, unknown> = {};
  const share = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(share);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, share(inner)]));
    const title = titleOf(copy);
    if (title === undefined) return copy;
    if (schemas[title] !== undefined && JSON.stringify(schemas[title]) !== JSON.stringify(copy))
      throw new Error(`two schemas have the title ${title}`);
    schemas[title] = copy;
    return { $ref: `#/components/schemas/${title}` };
  };
  const paths = share('paths' in document ? document.paths : {});
  return { ...document, components: { schemas }, paths };
}

/** Of a schema; an example with a title, such as a problem, has no type. */
function titleOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const isSchema = value['type'] === 'object' || value['type'] === 'array';
  return isSchema && typeof value['title'] === 'string' ? value['title'] : undefined;
}
