import type { Role } from '../embedded/settings.ts';
import { showMemorySize } from './memory-size.ts';
import type { Tuned } from './profile.ts';

/** Everything that is printed. */
export interface Advice {
  /** What it was computed for, one line each. */
  readonly profile: readonly string[];
  /** Of one database server. */
  readonly memoryBytes: number;
  readonly servers: readonly { readonly role: Role; readonly settings: readonly Tuned[] }[];
  readonly options: readonly Tuned[];
}

export const adviceFormats = ['conf', 'env', 'compose'] as const;
export type AdviceFormat = (typeof adviceFormats)[number];

export function renderAdvice(advice: Advice, format: AdviceFormat): string {
  const body = renderers[format](advice);
  return [...advice.profile.map((line) => `# ${line}`), '', ...body, ''].join('\n');
}

const renderers: Readonly<Record<AdviceFormat, (advice: Advice) => string[]>> = {
  conf: renderConf,
  env: renderEnv,
  compose: renderCompose,
};

/** A part of postgresql.conf for each server; the options of Messenger are comments in it. */
function renderConf({ servers, options }: Advice): string[] {
  return [
    ...servers.flatMap(({ role, settings }) => [
      `# ---- postgresql.conf of the ${role} ----`,
      ...settings.flatMap(({ name, value, reason }) => [`# ${reason}`, `${name} = '${value}'`]),
      '',
    ]),
    '# ---- Messenger, as environment variables ----',
    ...options.flatMap(({ name, value, reason }) => [`# ${reason}`, `# ${name}=${value}`]),
  ];
}

/** The options of Messenger, and the settings under names of their own, for scripts and compose files to fill in. */
function renderEnv({ servers, options }: Advice): string[] {
  return [
    ...options.flatMap(envLine),
    ...servers.flatMap(({ role, settings }) => [
      '',
      `# PostgreSQL, ${role}: Messenger does not read these.`,
      ...settings.flatMap((one) => envLine({ ...one, name: `POSTGRES_${role}_${one.name}`.toUpperCase() })),
    ]),
  ];
}

function envLine({ name, value, reason }: Tuned): string[] {
  return [`# ${reason}`, `${name}=${value}`];
}

/** To be merged into a compose file of one's own: nothing but the tuning, and the memory that it takes for granted. */
function renderCompose({ memoryBytes, servers, options }: Advice): string[] {
  return [
    'services:',
    ...servers.flatMap(({ role, settings }) => [
      `  ${role}:`,
      '    image: postgres:18',
      '    # what the settings below are made for',
      `    mem_limit: ${showMemorySize(memoryBytes).toLowerCase()}`,
      '    command:',
      '      - postgres',
      ...settings.flatMap(({ name, value, reason }) => [`      # ${reason}`, '      - -c', `      - ${name}=${value}`]),
    ]),
    '  messenger:',
    '    environment:',
    ...options.flatMap(({ name, value, reason }) => [`      # ${reason}`, `      ${name}: '${value}'`]),
  ];
}
