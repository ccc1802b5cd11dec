import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const textSql = `
  select pg_encoding_to_char(encoding) as encoding, datcollversion as version,
         pg_database_collation_actual_version(oid) as actual, quote_ident(datname) as "database"
  from pg_database where datname = current_database()`;

interface Text {
  readonly encoding: string;
  /** Collation version at the creation of the indexes; null for a collation without versions. */
  readonly version: string | null;
  /** Current collation version of the server. */
  readonly actual: string | null;
  readonly database: string;
}

/** Checks the encoding, and the collation versions of the indexes. */
export const checkText: ServerCheck = async (server) => {
  const { where } = server;
  const row = await askOne<Text>(server, textSql);
  return [gradeEncoding(where, row), gradeCollation(where, row)];
};

function gradeEncoding(where: Finding['where'], { encoding }: Text): Finding {
  const subject = { check: 'encoding', where } as const;
  if (encoding === 'UTF8') return ok(subject, encoding);
  const advice =
    "Names in other scripts are refused or stored damaged. It cannot be changed: create database … encoding 'UTF8' template template0, and move the data by pg_dump.";
  return fail(subject, encoding, advice);
}

function gradeCollation(where: Finding['where'], { version, actual, database }: Text): Finding {
  const subject = { check: 'collation', where } as const;
  if (version === null || actual === null || version === actual) return ok(subject, actual ?? 'without a version');
  const advice =
    `The collation of the system has changed, and text indexes may miss rows: reindex database ${database}; ` +
    `alter database ${database} refresh collation version.`;
  return warn(subject, `indexes were made with version ${version}, the server has ${actual}`, advice);
}
