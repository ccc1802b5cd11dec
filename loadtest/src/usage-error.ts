/** An error that the user of the tool can correct; shown without a stack. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
