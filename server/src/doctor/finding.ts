import type { CheckName } from './check-names.ts';

export type Status = 'ok' | 'warn' | 'fail';

/** A server; several standbys have numbers, in the order of the configuration. */
export type ServerPlace = 'primary' | 'standby' | `standby ${number}`;

/** What a line is about: one server, all of them, or this machine and its configuration. */
export type Place = ServerPlace | 'all' | 'here';

/** One line of the report. */
export interface Finding {
  readonly check: CheckName;
  readonly where: Place;
  readonly status: Status;
  /** What was seen; never what users typed. */
  readonly found: string;
  /** What to do; undefined when there is nothing to do. */
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

/** From how much on a number is a warning, and from how much on a failure. */
export interface Limits {
  readonly warn: number;
  readonly fail: number;
}

export function grade(subject: Subject, value: number, limits: Limits, found: string, advice: string): Finding {
  if (value >= limits.fail) return fail(subject, found, advice);
  return value >= limits.warn ? warn(subject, found, advice) : ok(subject, found);
}
