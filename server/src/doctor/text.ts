import type { ServerCheck } from './about.ts';
import { askOne } from './ask.ts';
import { fail, ok, warn, type Finding } from './finding.ts';

const textSql = `
  select pg_encoding_to_char(encoding) as encoding, datcollversion as version,
         pg_database_collation_actual_version(oid) as actual, quote_ident(datname) as "database",
         array(select quote_ident(extname) || ' ' || extversion || ' of ' || default_version
                 from pg_extension join pg_available_extensions on name = extname
                where extversion <> default_version order by 1) as "outdated"
  from pg_database where datname = current_database()`;

interface Text {
  readonly encoding: string;
  /** Collation version at the creation of the indexes; null for a collation without versions. */
  readonly version: string | null;
  /** Current collation version of the server. */
  readonly actual: string | null;
  readonly database: string;
  /** Extensions with their installed and available versions. */
  readonly outdated: readonly string[];
}

/** Checks the encoding, the collation versions of the indexes, and the versions of extensions. */
export const checkText: ServerCheck = async (server) => {
  const { where } = server;
  const row = await askOne<Text>(server, textSql);
  return [gradeEncoding(where, row), gradeCollation(where, row), gradeExtensions(where, row.outdated)];
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

function gradeExtensions(where: Finding['where'], outdated: readonly string[]): Finding {
  const subject = { check: 'extensions', where } as const;
  if (outdated.length === 0) return ok(subject, 'up to date');
  const updates = outdated.map((one) => `alter extension ${one.split(' ')[0]} update`);
  return warn(subject, outdated.join(', '), `PostgreSQL was upgraded and they were not: ${updates.join('; ')}.`);
}
