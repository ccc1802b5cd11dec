import type { InvalidField } from '@messenger/protocol/errors';
import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/iu;

/** Brings text to the form in which it is compared and stored, before the other rules of its schema see it. */
function normaliseText(
  _rule: unknown,
  text: string,
  _schema: unknown,
  where?: { readonly parentData: Record<string, unknown>; readonly parentDataProperty: string | number },
): boolean {
  if (where !== undefined) where.parentData[where.parentDataProperty] = text.trim().normalize('NFC');
  return true;
}

function createAjv(coerceTypes: boolean): Ajv {
  const ajv = new Ajv({ allErrors: true, coerceTypes, useDefaults: true, removeAdditional: false, strict: true });
  ajv.addKeyword({
    keyword: 'x-normalise',
    type: 'string',
    modifying: true,
    before: 'maxLength',
    validate: normaliseText,
  });
  ajv.addFormat('uuid', uuid);
  ajv.addFormat('text', (value: string) => !value.includes('\u0000') && value.isWellFormed());
  return ajv;
}

/**
 * Compiles the schemas of routes. Query and path are text, so numbers are read from it; in a body a number is not a
 * name. Every failing field is found, not only the first; fields that nobody asked for fail.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<TSchema> {
  const strict = createAjv(false);
  const coercing = createAjv(true);
  return ({ schema, httpPart }) => (httpPart === 'body' ? strict : coercing).compile(schema);
}

const parts: Readonly<Record<string, InvalidField['in']>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

/** What a validator found, as clients are told it. */
export function describeInvalid(
  errors: readonly FastifySchemaValidationError[],
  part: string | undefined,
): InvalidField[] {
  return errors.map((error) => describeOne(error, parts[part ?? 'body'] ?? 'body'));
}

function describeOne(
  error: Pick<ErrorObject, 'keyword' | 'instancePath' | 'message' | 'params'>,
  part: InvalidField['in'],
): InvalidField {
  const path = error.instancePath.split('/').slice(1).join('.');
  const within = (name: unknown): string => [path, String(name)].filter((step) => step !== '').join('.');
  switch (error.keyword) {
    case 'required':
      return { in: part, field: within(error.params['missingProperty']), message: 'is missing' };
    case 'additionalProperties':
      return { in: part, field: within(error.params['additionalProperty']), message: 'is not a known field' };
    case 'format':
      return { in: part, field: path, message: formatMessages[String(error.params['format'])] ?? 'has the wrong form' };
    default:
      return { in: part, field: path, message: error.message ?? 'is not valid' };
  }
}

const formatMessages: Readonly<Record<string, string>> = {
  uuid: 'must be a UUID',
  text: 'must not contain NUL or half of a surrogate pair',
};
