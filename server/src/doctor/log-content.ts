import type { ServerCheck } from './about.ts';
import { commandFor, readSettings, type Setting } from './change-setting.ts';
import { ok, warn, type Finding } from './finding.ts';

/** Logged statements include their parameters, unless the maximum parameter length is 0. */
const lengthOf: Readonly<Record<string, readonly string[]>> = {
  log_parameter_max_length: ['log_statement', 'log_min_duration_statement', 'log_min_duration_sample'],
  'auto_explain.log_parameter_max_length': ['auto_explain.log_min_duration'],
};

function logs({ name, value }: Setting): boolean {
  return name === 'log_statement' ? ['mod', 'all'].includes(value) : Number(value) >= 0;
}

/** Checks whether PostgreSQL's log gets user data: our parameters are names of people. */
export const checkLogContent: ServerCheck = async (server) => {
  const subject = { check: 'logged parameters', where: server.where } as const;
  const names = [...Object.keys(lengthOf), ...Object.values(lengthOf).flat(), 'log_parameter_max_length_on_error'];
  const settings = new Map((await readSettings(server, names)).map((one) => [one.name, one]));
  const complain = (length: Setting, cause: string): Finding =>
    warn(subject, `${cause}, with its parameters`, `They are user data. ${commandFor(length, '0')}.`);
  const findings = Object.entries(lengthOf).flatMap(([name, causes]) => {
    const length = settings.get(name);
    if (length === undefined || length.value === '0') return [];
    const active = causes.flatMap((cause) => settings.get(cause) ?? []).filter(logs);
    return active.map((cause) => complain(length, `${cause.name} is ${cause.value}: a statement is logged`));
  });
  const onError = settings.get('log_parameter_max_length_on_error');
  if (onError !== undefined && onError.value !== '0')
    findings.push(complain(onError, 'a statement that fails is logged'));
  return findings.length > 0 ? findings : [ok(subject, 'no parameters of statements')];
};
