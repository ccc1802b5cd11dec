/**
 * The linter's rules. `boundaries` has the import directions of ARCHITECTURE.md, each with its reason; server/test/boundaries.test.ts
 * violates each of them. oxlint reads the default export of this file. If two overrides set the same rule for the same file, the later one
 * replaces the earlier one with its options: so every import set below is complete, and the order of `overrides` matters.
 */

interface Refusal {
  readonly regex: string;
  readonly message: string;
}

interface Fence {
  /** As in .gitignore: refused paths, then exceptions with `!`. */
  readonly group: readonly string[];
  readonly message: string;
}

/** Folders of server/src that know no domain. */
const engines = 'http sockets db feed process embedded backup tuning doctor telemetry ops-page lib'.split(' ');

/** Folders of server/src with domains, from the lowest up. Add a new one here; until then, the layers above cannot import it. */
const domains = ['users', 'accounts', 'conversations', 'messages', 'sync'];

// ---- Import lines: what is refused, and why ----------------------------------------------------------------------

/** For every file except tests. */
const everywhere: readonly Refusal[] = [
  {
    regex: String.raw`(^|/)main\.ts$`,
    message: 'main.ts is the entry of every process: importing it would start one. Nothing else starts on import.',
  },
  {
    regex: String.raw`\.(test|e2e)\.ts$|(^|/)(test|bench)/`,
    message: 'The server runs without its tests and benchmarks: they import it, never the other way round.',
  },
  {
    regex: '^(node:)?process$',
    message: 'Use the global `process`: the rules that keep argv, env and signals in main.ts watch that name.',
  },
  {
    regex: '(^|/)protocol/src/',
    message: 'The contract is a package: import @messenger/protocol/….',
  },
];

const noPg: Refusal = {
  regex: '^pg(-|/|$)',
  message: 'Only db/, embedded/, backup/ and feed/ use PostgreSQL: pools, deadlines and result types are there.',
};

const noFastify: Refusal = {
  regex: '^@?fastify(-|/|$)',
  message: 'Only http/, app.ts and *-routes.ts use Fastify: use cases and engines run and are tested without HTTP.',
};

const noApp: Refusal = {
  regex: String.raw`(^|/)app\.ts$`,
  message: 'app.ts is the composition root: only worker.ts and tests build the server.',
};

const noCommands: Refusal = {
  regex: '(^|/)commands/',
  message: 'commands/ is the command line: only main.ts imports it.',
};

const noDomain: Refusal = {
  regex: `(^|/)(${domains.join('|')})/`,
  message: 'Only app.ts combines the domains.',
};

const noStorage: Refusal = {
  regex: String.raw`^\./.*-(reader|writer)\.ts$|^\.\./db/`,
  message: 'Routes translate HTTP and call use cases; storage is behind <domain>.ts.',
};

const noHttp: Refusal = {
  regex: String.raw`-routes\.ts$|^\.\./http/`,
  message: 'Use cases are independent of HTTP: routes call them, and so may a WebSocket or a command.',
};

const onlyStorage: Refusal = {
  regex: String.raw`-routes\.ts$|^\.\./http/|^\./(${domains.join('|')})\.ts$`,
  message: 'A reader or writer contains SQL and its types: it imports neither routes nor use cases nor HTTP.',
};

const noServer: Refusal = {
  regex: '^@messenger/server(/|$)|(^|/)server/',
  message: 'The load test is a black-box test: it uses the public API (@messenger/protocol), never the server.',
};

const besideOnly = (folders: readonly string[], message: string): Fence => ({
  group: ['../**', ...folders.map((name) => `!../${name}${name.endsWith('.ts') ? '' : '/**'}`)],
  message,
});

const engineFence = besideOnly(
  engines,
  'An engine imports no domain, app.ts, main.ts or config.ts: it gets everything as arguments.',
);

const groundFence = besideOnly(['lib'], 'lib/ and the log are the lowest layer: they import only lib/.');

const oneWay =
  'Imports have one direction, main → app → routes → domain → reader/writer → db; import a lower domain only by its <domain>.ts.';

/** A domain imports engines; and of lower ones, their use cases, SQL that its own statements contain, and their rows as JSON. */
const domainFence = (lower: readonly string[]): Fence => besideOnly([...engines, ...lower.flatMap(facesOf)], oneWay);
const facesOf = (one: string) => [one, `${one}-sql`, `${one.slice(0, -1)}-rows`].map((file) => `${one}/${file}.ts`);

const insideOnly = (message: string, also = './**'): Fence => ({ group: ['**', '!./**', `!${also}`], message });

// ---- Which file has which lines -----------------------------------------------------------------------------------

/** The fence comes last, because oxlint stops at its exceptions. Patterns before it still apply. */
const only = (refusals: readonly Refusal[], fence?: Fence) => ({
  'no-restricted-imports': ['error', { patterns: fence === undefined ? refusals : [...refusals, fence] }],
});

const imports = (refusals: readonly Refusal[], fence?: Fence) => only([...everywhere, ...refusals], fence);

const domainBoundaries = domains.flatMap((domain, place) => {
  const [fence, inside] = [domainFence(domains.slice(0, place)), `server/src/${domain}`];
  return [
    { files: [`${inside}/**`], rules: imports([noPg, noFastify, noHttp], fence) },
    { files: [`${inside}/*-{reader,writer}.ts`], rules: imports([noPg, noFastify, onlyStorage], fence) },
    { files: [`${inside}/*-{routes,schemas}.ts`], rules: imports([noPg, noStorage], fence) },
  ];
});

const boundaries = [
  { files: ['**'], rules: imports([]) },
  { files: ['server/src/*.ts'], rules: imports([noApp, noCommands, noDomain, noPg, noFastify]) },
  { files: ['server/src/main.ts'], rules: imports([noApp, noDomain, noPg, noFastify]) },
  { files: ['server/src/worker.ts'], rules: imports([noCommands, noDomain, noPg, noFastify]) },
  { files: ['server/src/app.ts'], rules: imports([noCommands, noPg]) },
  // A folder that is listed neither as an engine nor as a domain must not import its siblings: list it above.
  { files: ['server/src/*/**'], rules: imports([noPg, noFastify], besideOnly([], oneWay)) },
  { files: ['server/src/commands/**'], rules: imports([noApp, noDomain, noPg, noFastify]) },
  // The command line's own composition: it has no app.
  { files: ['server/src/commands/account.ts'], rules: imports([noApp, noPg, noFastify]) },
  ...domainBoundaries,
  { files: ['server/src/{process,tuning,doctor,telemetry}/**'], rules: imports([noPg, noFastify], engineFence) },
  { files: ['server/src/http/**'], rules: imports([noPg], engineFence) },
  { files: ['server/src/{sockets,db,embedded,backup,feed}/**'], rules: imports([noFastify], engineFence) },
  { files: ['server/src/lib/**', 'server/src/telemetry/log.ts'], rules: imports([noPg, noFastify], groundFence) },
  { files: ['protocol/**'], rules: imports([], insideOnly('The contract imports only typebox.', 'typebox{,/**}')) },
  { files: ['client/src/**'], rules: imports([], insideOnly('The client has no dependencies: browsers run it.')) },
  { files: ['loadtest/**'], rules: imports([noServer]) },
  {
    files: ['**/*.test.ts', '**/*.e2e.ts', 'server/test/**', 'server/bench/**'],
    rules: only([
      {
        regex: String.raw`(^|/)main\.ts$`,
        message: 'main.ts is the entry of every process: a test starts it as one.',
      },
    ]),
  },
];

// ---- What only main.ts reads ---------------------------------------------------------------------------------------------

const fromProcess = (names: readonly string[], message: string): object[] =>
  names.map((property) => ({ object: 'process', property, message }));

const argvAndEnv = fromProcess(
  ['argv', 'argv0', 'execArgv', 'env'],
  'Configuration is an argument: only main.ts reads the command line and the environment.',
);

const signals = fromProcess(
  ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'],
  'Only main.ts listens to signals and other events of the process.',
);

const exits = fromProcess(
  ['exit', 'abort', 'reallyExit'],
  'Only main.ts ends the process: everything else resolves or rejects.',
);

const entries = [
  { files: ['server/src/**'], rules: { 'no-restricted-properties': ['error', ...argvAndEnv, ...signals, ...exits] } },
  {
    files: ['server/src/main.ts', '**/*.test.ts', 'server/test/**', 'server/bench/**', 'server/bin/**', 'scripts/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
];

// ---- Rules for all code -------------------------------------------------------------------------------------------

const off = (...names: readonly string[]): Record<string, 'off'> =>
  Object.fromEntries(names.map((name) => [name, 'off' as const]));

const on = (...names: readonly string[]): Record<string, 'error'> =>
  Object.fromEntries(names.map((name) => [name, 'error' as const]));

/** Unwanted rules of the categories `correctness`, `suspicious` and `perf`. */
const unwanted = off(
  'no-await-in-loop', // Most loops with await are sequential by intention: back-off, order of shut-down, row by row.
  'no-underscore-dangle', // Names from PostgreSQL and from the protocol of node:test.
  'import/no-named-as-default-member', // Flags `pg.Pool` on CommonJS packages.
  'promise/always-return', // Types already check the result of `then`.
  'oxc/no-map-spread', // Immutable data needs copies.
  'oxc/no-async-endpoint-handlers', // For Express; Fastify awaits its handlers.
  'typescript/consistent-return', // tsc's noImplicitReturns checks this, and recognises exhaustive switches.
);

const types = {
  ...on(
    'typescript/no-explicit-any',
    'typescript/no-non-null-assertion',
    'typescript/no-misused-promises',
    'typescript/no-unsafe-argument',
    'typescript/no-unsafe-assignment',
    'typescript/no-unsafe-call',
    'typescript/no-unsafe-function-type',
    'typescript/no-unsafe-member-access',
    'typescript/no-unsafe-return',
    'typescript/no-unsafe-type-assertion',
    'typescript/no-unnecessary-condition',
    'typescript/only-throw-error',
    'typescript/prefer-promise-reject-errors',
    'typescript/use-unknown-in-catch-callback-variable',
    'typescript/restrict-plus-operands',
    'typescript/prefer-readonly',
    'typescript/prefer-nullish-coalescing',
    'typescript/prefer-optional-chain',
    'typescript/prefer-includes',
    'typescript/prefer-find',
    'typescript/prefer-for-of',
    'typescript/prefer-regexp-exec',
    'typescript/no-deprecated',
    'typescript/no-dynamic-delete',
    'typescript/no-empty-object-type',
    'typescript/no-namespace',
    'typescript/no-require-imports',
    'typescript/no-import-type-side-effects',
    'typescript/consistent-type-imports',
    'typescript/consistent-type-exports',
    'typescript/consistent-type-definitions',
    'typescript/explicit-module-boundary-types',
    'typescript/related-getter-setter-pairs',
    'typescript/array-type',
    'typescript/dot-notation',
    'typescript/no-inferrable-types',
    'typescript/unified-signatures',
  ),
  // Inside try, a promise returned without await escapes the catch.
  'typescript/return-await': ['error', 'error-handling-correctness-only'],
  'typescript/no-confusing-void-expression': [
    'error',
    { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
  ],
  'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  'typescript/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  'typescript/strict-boolean-expressions': ['error', { allowNullableBoolean: true }],
  'typescript/consistent-type-assertions': [
    'error',
    { assertionStyle: 'as', objectLiteralTypeAssertions: 'allow-as-parameter' },
  ],
  'typescript/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description', minimumDescriptionLength: 10 }],
};

const modules = {
  ...on(
    'import/no-cycle',
    'import/no-default-export',
    'import/no-commonjs',
    'import/no-mutable-exports',
    'import/first',
    'import/no-duplicates',
    'oxc/no-barrel-file',
    'oxc/no-const-enum',
    'unicorn/prefer-node-protocol',
    'unicorn/prefer-module',
    'unicorn/prefer-import-meta-properties',
  ),
  'unicorn/filename-case': ['error', { case: 'kebabCase' }],
};

const habits = {
  ...on(
    'no-console',
    'no-empty',
    'no-param-reassign',
    'no-proto',
    'no-var',
    'no-else-return',
    'no-fallthrough',
    'no-case-declarations',
    'no-constructor-return',
    'no-loop-func',
    'no-promise-executor-return',
    'no-self-compare',
    'no-useless-return',
    'no-labels',
    'no-multi-assign',
    'no-new-func',
    'no-return-assign',
    'no-template-curly-in-string',
    'no-implicit-coercion',
    'array-callback-return',
    'default-param-last',
    'guard-for-in',
    'object-shorthand',
    'operator-assignment',
    'prefer-const',
    'prefer-object-has-own',
    'prefer-object-spread',
    'prefer-template',
    'radix',
    'symbol-description',
    'yoda',
    'promise/param-names',
    'unicorn/no-abusive-eslint-disable',
    'unicorn/no-array-for-each',
    'unicorn/no-lonely-if',
    'unicorn/no-object-as-default-parameter',
    'unicorn/no-static-only-class',
    'unicorn/no-this-assignment',
    'unicorn/no-typeof-undefined',
    'unicorn/no-useless-promise-resolve-reject',
    'unicorn/no-useless-switch-case',
    'unicorn/error-message',
    'unicorn/throw-new-error',
    'unicorn/prefer-array-flat',
    'unicorn/prefer-array-some',
    'unicorn/prefer-at',
    'unicorn/prefer-date-now',
    'unicorn/prefer-number-properties',
    'unicorn/prefer-optional-catch-binding',
    'unicorn/prefer-regexp-test',
    'unicorn/prefer-string-replace-all',
    'unicorn/prefer-string-slice',
    'unicorn/prefer-structured-clone',
    'unicorn/prefer-type-error',
  ),
  eqeqeq: ['error', 'always'],
};

/** House rule 4: functions of about 10 lines, files of 50–200. These are the outer fences. */
const sizes = {
  'max-lines': ['error', { max: 400 }],
  'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
  'max-depth': ['error', 4],
  complexity: ['error', 16],
};

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node'],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['node_modules', 'data', 'client/src/api.ts', 'client/dist'],
  rules: { ...unwanted, ...types, ...modules, ...habits, ...sizes },
  overrides: [
    ...boundaries,
    ...entries,
    {
      files: ['**/*.test.ts', '**/*.e2e.ts', 'server/test/**', 'server/bench/**'],
      rules: {
        ...off('max-lines', 'max-lines-per-function', 'unicorn/consistent-function-scoping'),
        // node:test awaits what `test` and `describe` return.
        'typescript/no-floating-promises': [
          'error',
          {
            allowForKnownSafeCalls: [
              { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
            ],
          },
        ],
      },
    },
    {
      // Plain JavaScript that any Node can parse has no types to check.
      files: ['**/*.mjs'],
      rules: off(
        'typescript/no-unsafe-argument',
        'typescript/no-unsafe-assignment',
        'typescript/no-unsafe-call',
        'typescript/no-unsafe-member-access',
        'typescript/no-unsafe-return',
        'typescript/no-unsafe-type-assertion',
        'typescript/explicit-module-boundary-types',
        'typescript/strict-boolean-expressions',
        'typescript/use-unknown-in-catch-callback-variable',
      ),
    },
    {
      // Command-line programs: they print to the terminal.
      files: ['scripts/**', 'server/bench/**'],
      rules: off('no-console'),
    },
    {
      // oxlint reads the default export.
      files: ['oxlint.config.ts'],
      rules: off('import/no-default-export'),
    },
  ],
};
