import { createLog, type Log } from '../src/telemetry/log.ts';

type Line = Readonly<Record<string, unknown>>;

/** A log whose lines a test reads back. */
export function recordLog(): {
  readonly log: Log;
  readonly text: () => string;
  readonly lines: (msg?: string) => Line[];
} {
  const written: string[] = [];
  const log = createLog({ level: 'info', name: 'test', pretty: false }, { write: (line) => void written.push(line) });
  return { log, text: () => written.join(''), lines: (msg) => parseLines(written.join(''), msg) };
}

/** The JSON lines of a text, or those with this message. */
export function parseLines(text: string, msg?: string): Line[] {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- pino writes objects.
    .map((line) => JSON.parse(line) as Line);
  return msg === undefined ? lines : lines.filter((line) => line['msg'] === msg);
}
