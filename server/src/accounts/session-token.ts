import { hash, randomBytes } from 'node:crypto';

const tokenBytes = 32;

/** The credential of a client: 256 random bits. */
export function createToken(): string {
  return randomBytes(tokenBytes).toString('base64url');
}

/** SHA-256 in hex, as tokens are stored. It needs no salt: tokens are random. */
export function hashToken(token: string): string {
  return hash('sha256', token, 'hex');
}
