import { AppError } from '../lib/app-error.ts';
import { checkPassword } from './passwords.ts';

/** Throws `invalid_request` for a new password that breaks a rule; `field` is its place in the body. */
export function refuseBadPassword(password: string, username: string, field: string): void {
  const message = checkPassword(password, username);
  if (message !== undefined) throw new AppError('invalid_request', { errors: [{ in: 'body', field, message }] });
}
