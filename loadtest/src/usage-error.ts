/** What whoever started the tool can change; the message is all they need. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
