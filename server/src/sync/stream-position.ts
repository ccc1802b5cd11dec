import { decodeToken, encodeToken, type Position } from '../db/position.ts';

/**
 * What a client holds: everything that was committed before `timeMs`, by the clock of the primary in milliseconds since 1970, and nothing is
 * missing that was delivered. `position` is that of the newest commit that it has seen.
 */
export interface StreamPosition {
  readonly position: Position;
  readonly timeMs: number;
}

const timeBytes = 6;

/** A `Consistency-Token`, and eight more characters. */
export function encodeStreamPosition({ position, timeMs }: StreamPosition): string {
  const bytes = Buffer.alloc(timeBytes);
  bytes.writeUIntBE(Math.floor(timeMs), 0, timeBytes);
  return encodeToken(position) + bytes.toString('base64url');
}

/** Undefined for other text, also for a `Consistency-Token` alone. */
export function decodeStreamPosition(text: string): StreamPosition | undefined {
  const match = /^(?<token>[\w-]{20})(?<time>[\w-]{8})$/u.exec(text);
  const position = decodeToken(match?.groups?.['token'] ?? '');
  if (position === undefined) return undefined;
  const timeMs = Buffer.from(match?.groups?.['time'] ?? '', 'base64url').readUIntBE(0, timeBytes);
  return { position, timeMs };
}
