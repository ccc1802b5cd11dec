import type { CheckName } from './check-names.ts';

export type Status = 'ok' | 'warn' | 'fail';

/** A server. Several standbys are numbered in the order of the configuration. */
export type ServerPlace = 'primary' | 'standby' | `standby ${number}`;

/** The subject of a line: one server, all servers, or this machine and its configuration. */
export type Place = ServerPlace | 'all' | 'here';

/** One line of the report. */
export interface Finding {
  readonly check: CheckName;
  readonly where: Place;
  readonly status: Status;
  /** The observation, without user data. */
  readonly found: string;
  /** The advice; undefined when nothing needs to be done. */
  readonly advice?: string;
}

export type Subject = Pick<Finding, 'check' | 'where'>;

export function ok(subject: Subject, found: string): Finding {
  return { ...subject, status: 'ok', found };
}

export function warn(subject: Subject, found: string, advice: string): Finding {
  return { ...subject, status: 'warn', found, advice };
}

export function fail(subject: Subject, found: string, advice: string): Finding {
  return { ...subject, status: 'fail', found, advice };
}

/** The lowest values that are a warning and a failure. */
export interface Limits {
  readonly warn: number;
  readonly fail: number;
}

export function grade(subject: Subject, value: number, limits: Limits, found: string, advice: string): Finding {
  if (value >= limits.fail) return fail(subject, found, advice);
  return value >= limits.warn ? warn(subject, found, advice) : ok(subject, found);
}
