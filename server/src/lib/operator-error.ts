/**
 * Something that the operator can change: the message is all they need, and a stack would only hide it.
 * Each line of the message is a sentence.
 */
export class OperatorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OperatorError';
  }
}
