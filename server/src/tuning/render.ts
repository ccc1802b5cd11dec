import { showMemorySize } from './memory-size.ts';
import type { Tuned } from './profile.ts';

/** Everything that is printed. */
export interface Advice {
  /** The input of the computation, one line each. */
  readonly profile: readonly string[];
  /** Of one database server. */
  readonly memoryBytes: number;
  /** PostgreSQL's settings, the same on every server. */
  readonly settings: readonly Tuned[];
  /** Messenger's options. */
  readonly options: readonly Tuned[];
}

export const adviceFormats = ['conf', 'sql', 'env', 'compose'] as const;
export type AdviceFormat = (typeof adviceFormats)[number];

export function renderAdvice(advice: Advice, format: AdviceFormat): string {
  const mark = format === 'sql' ? '--' : '#';
  const body = renderers[format](advice);
  return [...advice.profile.map((line) => `${mark} ${line}`), '', ...body, ''].join('\n');
}

const renderers: Readonly<Record<AdviceFormat, (advice: Advice) => string[]>> = {
  conf: renderConf,
  sql: renderSql,
  env: renderEnv,
  compose: renderCompose,
};

/** A part of postgresql.conf; Messenger's options are comments in it. */
function renderConf({ settings, options }: Advice): string[] {
  return [
    '# ---- postgresql.conf, the same on every server: a standby may be promoted ----',
    ...settings.flatMap(({ name, value, reason }) => [`# ${reason}`, `${name} = '${value}'`]),
    '',
    '# ---- Messenger, as environment variables ----',
    ...options.flatMap(({ name, value, reason }) => [`# ${reason}`, `# ${name}=${value}`]),
  ];
}

/** For psql, as superuser, on every server; `alter system` writes postgresql.auto.conf. */
function renderSql({ settings, options }: Advice): string[] {
  return [
    '-- On every server, the standby first where max_connections or max_worker_processes fall, the primary last; then restart it.',
    ...settings.flatMap(({ name, value, reason }) => [`-- ${reason}`, `alter system set ${name} = '${value}';`]),
    '',
    '-- Messenger, as environment variables:',
    ...options.flatMap(({ name, value, reason }) => [`-- ${reason}`, `-- ${name}=${value}`]),
  ];
}

/** Messenger's options, and PostgreSQL's settings under names of their own, for scripts and compose files. */
function renderEnv({ settings, options }: Advice): string[] {
  return [
    ...options.flatMap(envLine),
    '',
    '# PostgreSQL, the same on every server: Messenger does not read these.',
    ...settings.flatMap((one) => envLine({ ...one, name: `POSTGRES_${one.name}`.toUpperCase() })),
  ];
}

function envLine({ name, value, reason }: Tuned): string[] {
  return [`# ${reason}`, `${name}=${value}`];
}

/** To merge into a compose file: only the tuning, and the memory that it assumes. */
function renderCompose({ memoryBytes, settings, options }: Advice): string[] {
  return [
    'services:',
    '  primary:',
    '    image: postgres:18',
    '    # what the settings below are made for',
    `    mem_limit: ${showMemorySize(memoryBytes).toLowerCase()}`,
    '    command: &settings',
    '      - postgres',
    ...settings.flatMap(({ name, value, reason }) => [`      # ${reason}`, '      - -c', `      - ${name}=${value}`]),
    '  standby:',
    '    image: postgres:18',
    `    mem_limit: ${showMemorySize(memoryBytes).toLowerCase()}`,
    '    # the same: a standby may be promoted',
    '    command: *settings',
    '  messenger:',
    '    environment:',
    ...options.flatMap(({ name, value, reason }) => [`      # ${reason}`, `      ${name}: '${value}'`]),
  ];
}
