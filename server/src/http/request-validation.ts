import type { InvalidField } from '@messenger/protocol/problem';
import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';
import type { TSchema } from 'typebox';

import { existsInCalendar } from '../lib/calendar.ts';
import { isEmoji, qualifyEmoji } from '../lib/emoji.ts';
import { foldUsername } from '../lib/fold-username.ts';
import { isVisibleLines, isVisibleText, normaliseText } from './visible-text.ts';

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/iu;

const utcTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z$/u;

function isTime(text: string): boolean {
  const seconds = utcTime.exec(text)?.[1];
  return seconds !== undefined && existsInCalendar(seconds);
}

/** Changes a text before the other rules of its schema see it. */
function inPlace(change: (text: string) => string) {
  return (
    _rule: unknown,
    text: string,
    _schema: unknown,
    where?: { readonly parentData: Record<string, unknown>; readonly parentDataProperty: string | number },
  ): boolean => {
    if (where !== undefined) where.parentData[where.parentDataProperty] = change(text);
    return true;
  };
}

function createAjv(): Ajv {
  // `strict` reports mistakes in schemas; `validateSchema` would compile the schema of schemas at each start, in 20 ms.
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    removeAdditional: false,
    strict: true,
    validateSchema: false,
  });
  ajv.addKeyword({
    keyword: 'x-normalise',
    type: 'string',
    modifying: true,
    before: 'maxLength',
    validate: inPlace(normaliseText),
  });
  ajv.addKeyword({
    keyword: 'x-fold',
    type: 'string',
    modifying: true,
    before: 'maxLength',
    validate: inPlace(foldUsername),
  });
  ajv.addKeyword({
    keyword: 'x-emoji',
    type: 'string',
    modifying: true,
    before: 'maxLength',
    validate: inPlace(qualifyEmoji),
  });
  ajv.addFormat('uuid', uuid);
  ajv.addFormat('emoji', isEmoji);
  ajv.addFormat('text', isVisibleText);
  ajv.addFormat('multiline', isVisibleLines);
  ajv.addFormat('date-time', isTime);
  return ajv;
}

/**
 * Compiles the schemas of routes. Only parameters of the path and the query are converted to integers. Reports every invalid field, not only the first; unknown
 * fields are invalid. Headers are validated where they are read.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<TSchema> {
  const ajv = createAjv();
  return ({ schema, httpPart }) => {
    if (httpPart === 'headers') return () => true;
    const validate = ajv.compile(schema);
    if (httpPart !== 'querystring' && httpPart !== 'params') return validate;
    const integers = integerFields(schema);
    if (integers.length === 0) return validate;
    return (given: Record<string, unknown>) => {
      readIntegers(given, integers);
      return validate(given) ? true : { error: validate.errors ?? [] };
    };
  };
}

/** Checks bodies that come otherwise than by HTTP, by the same rules; may change them in place. Returns all invalid fields. */
export function createCheck(schema: TSchema): (given: object) => InvalidField[] {
  const validate = createAjv().compile(schema);
  return (given) => (validate(given) ? [] : describeInvalid(validate.errors ?? [], 'body'));
}

function integerFields(schema: object): string[] {
  const properties = Object.entries(entriesOf(entriesOf(schema)['properties']));
  return properties.flatMap(([name, rule]) => (entriesOf(rule)['type'] === 'integer' ? [name] : []));
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** Converts integers in place. Ajv's own coercion accepts `Infinity`. */
function readIntegers(given: Record<string, unknown>, fields: readonly string[]): void {
  for (const name of fields) {
    const text = given[name];
    if (typeof text === 'string' && /^-?\d{1,15}$/u.test(text)) given[name] = Number(text);
  }
}

const parts: Readonly<Record<string, InvalidField['in']>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

/** Limits the size of the answer relative to the request. */
const mostErrors = 50;
const longestField = 100;

/** The errors of a validator, in the form of the API. */
export function describeInvalid(
  errors: readonly (FastifySchemaValidationError | ErrorObject)[],
  part: string | undefined,
): InvalidField[] {
  return errors.slice(0, mostErrors).map((error) => describeOne(error, parts[part ?? 'body'] ?? 'body'));
}

function describeOne(
  error: Pick<ErrorObject, 'keyword' | 'instancePath' | 'message' | 'params'>,
  part: InvalidField['in'],
): InvalidField {
  const path = error.instancePath.split('/').slice(1).join('.');
  const within = (name: unknown): string =>
    [path, String(name).slice(0, longestField)].filter((step) => step !== '').join('.');
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
  emoji: 'must be exactly one emoji',
  multiline:
    'must have a visible character, and no control characters but tabs and line breaks, and no bidirectional overrides',
  text: 'must have a visible character, and no control, bidirectional or hidden characters',
  'date-time': 'must be a time in UTC, like 2026-01-28T12:00:00Z',
};
