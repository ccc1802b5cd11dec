import { InvalidArgumentError, Option } from 'commander';

import { assertionForm, chatAssertions, defaultAssertions, parseAssertions } from './assertions.ts';
import { isLoadTypeName, loadTypes, type LoadTypeName } from './load-types.ts';

/** A parser of commander: gets the text and the value so far. An empty variable counts as not set. */
type Parse<Value> = (text: string, before: Value) => Value;

export function number(from: number, to: number, isWhole: boolean): Parse<number> {
  return (text, before) => {
    if (text === '') return before;
    const value = Number(text);
    const isFine =
      /^\d+(?:\.\d+)?$/u.test(text) && (!isWhole || Number.isInteger(value)) && value >= from && value <= to;
    if (!isFine) throw new InvalidArgumentError(`It must be a ${isWhole ? 'whole ' : ''}number from ${from} to ${to}.`);
    return value;
  };
}

const parseType: Parse<LoadTypeName> = (text, before) => {
  if (text === '') return before;
  if (!isLoadTypeName(text)) throw new InvalidArgumentError(`It must be one of ${Object.keys(loadTypes).join(', ')}.`);
  return text;
};

/** Every option of the command line, once. Commander's errors name the flag or the variable. */
export const options = {
  type: new Option('--type <type>', 'kind of load').default('stress').env('LOADTEST_TYPE').argParser(parseType),
  users: new Option('--users <count>', 'number of users')
    .default(5000)
    .env('LOADTEST_USERS')
    .argParser(number(1, 1_000_000, true)),
  duration: new Option('--duration <seconds>', 'duration of the arrivals')
    .default(120)
    .env('LOADTEST_DURATION')
    .argParser(number(1, 7 * 86_400, true)),
  baseUrl: new Option('--base-url <url>', 'the server')
    .default('http://127.0.0.1:8080')
    .env('BASE_URL')
    .argParser<string>((text, before) => (text === '' ? before : text)),
  tokenFile: new Option('--token-file <file>', 'file with the token of a session, for a server that needs one').env(
    'LOADTEST_TOKEN_FILE',
  ),
  allowRemote: new Option('--allow-remote', 'allow a server on another machine').default(false),
  start: new Option('--start', 'start a server on a temporary data folder, with the options after --').default(false),
  processes: new Option('--processes <count>', 'number of generator processes')
    .default(1)
    .argParser(number(1, 64, true)),
  checks: new Option(
    '--checks <kind>',
    "strict: status and content; guide: status alone, a 404 is a success as in the guide's test",
  )
    .default('strict')
    .choices(['strict', 'guide']),
  deadline: new Option('--deadline <seconds>', 'a request that takes longer fails')
    .default(15)
    .argParser(number(0.1, 3600, false)),
  assert: new Option('--assert <list>', assertionForm)
    .default(undefined, `${defaultAssertions}; of type chat ${chatAssertions}`)
    .argParser(parseAssertions),
  peopleFile: new Option(
    '--people-file <file>',
    'of type chat: keeps the accounts and conversations of the test for later runs',
  ).env('LOADTEST_PEOPLE_FILE'),
  database: new Option(
    '--database <url>',
    'of type chat: the primary, in which the accounts of the test are created; "$(npx messenger db url)"',
  ).env('LOADTEST_DATABASE'),
  reportDir: new Option('--report-dir <folder>', 'folder of the report').default('loadtest-report'),
  p99: new Option('--p99 <ms>', 'the highest 99th percentile that counts as held')
    .default(6)
    .argParser(number(0.1, 60_000, false)),
  stepSeconds: new Option('--step-seconds <seconds>', 'how long each rate is measured, after a warm-up')
    .default(10)
    .argParser(number(1, 600, true)),
  from: new Option('--from <rate>', 'users per second of the first step')
    .default(50)
    .argParser(number(1, 100_000, true)),
} as const;
