/**
 * An error that the operator can fix: the message is sufficient, so no stack is printed. Each line of the message is a
 * sentence.
 */
export class OperatorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OperatorError';
  }
}
