/** What came of a check, of a test file, or of everything. `failures` are names; `report` says what is to be said. */
export interface Outcome {
  passed: number;
  readonly failures: string[];
  readonly skips: { readonly name: string; readonly reason: string }[];
  readonly report: string[];
}

export function emptyOutcome(): Outcome {
  return { passed: 0, failures: [], skips: [], report: [] };
}

export function addFailure(outcome: Outcome, name: string, reason: string): void {
  outcome.failures.push(name);
  outcome.report.push(`✖ ${name}`, reason);
}

export function addOutcome(sum: Outcome, more: Outcome): void {
  sum.passed += more.passed;
  sum.failures.push(...more.failures);
  sum.skips.push(...more.skips);
}

/** One line, and below it what a failure or a skip has to say. */
export function printStep(name: string, ms: number, outcome: Outcome, note = ''): void {
  const isOk = outcome.failures.length === 0;
  console.log(`${isOk ? '✔' : '✖'} ${name.padEnd(50)} ${(ms / 1000).toFixed(1).padStart(6)} s  ${note}`.trimEnd());
  if (!isOk) console.log(outcome.report.join('\n').trimEnd().replaceAll(/^/gmu, '    '));
  for (const { name: test, reason } of outcome.skips) console.log(`    skipped: ${test}: ${reason}`);
}

/** The last lines. Machines read the very last one. Returns the exit code: nothing run is a failure, too. */
export function printSum({ passed, failures, skips }: Outcome): number {
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((name) => `    ${name}`).join('\n')}`);
  const skipped = skips.length > 0 ? `, ${skips.length} skipped` : '';
  console.log(`\n${passed} passed, ${failures.length} failed${skipped}`);
  return failures.length > 0 || passed === 0 ? 1 : 0;
}
