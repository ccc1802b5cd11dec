/**
 * Moves each schema with a title to `components.schemas`, and replaces it with a reference: generated clients name their types by it.
 * Schemas with the same title must be equal.
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
  const components = 'components' in document ? document.components : undefined;
  return { ...document, components: { ...(typeof components === 'object' ? components : {}), schemas }, paths };
}

/** The title of a schema. An example with a title, such as a problem, has no type. */
function titleOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const isSchema = value['type'] === 'object' || value['type'] === 'array';
  return isSchema && typeof value['title'] === 'string' ? value['title'] : undefined;
}
