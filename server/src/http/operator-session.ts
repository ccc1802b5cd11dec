import { createHmac, timingSafeEqual } from 'node:crypto';

const cookieName = 'messenger_ops';

/** How long a browser may look before it is asked for the token again. */
const sessionMs = 7 * 24 * 3_600_000;

/**
 * The `Set-Cookie` of a browser that has shown the token. It holds when it ends, signed with the token: nothing is kept here, every
 * worker knows it, and another token ends it.
 */
export function openSession(token: string, nowMs: number): string {
  const endsMs = nowMs + sessionMs;
  return cookie(`${endsMs}.${sign(endsMs, token)}`, sessionMs / 1_000);
}

/** The `Set-Cookie` that makes a browser forget its session. */
export const closeSession = cookie('', 0);

function cookie(value: string, maxAgeSeconds: number): string {
  return `${cookieName}=${value}; Path=/ops; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict`;
}

/** What a `Cookie` header has of ours. */
export function sessionOf(header = ''): string | undefined {
  return new RegExp(`(?:^|; *)${cookieName}=([^;]+)`, 'u').exec(header)?.[1];
}

export function isSession(session: string | undefined, token: string, nowMs: number): boolean {
  const [, ends, signature] = /^(\d{1,15})\.([\da-f]{64})$/u.exec(session ?? '') ?? [];
  if (ends === undefined || signature === undefined || Number(ends) <= nowMs) return false;
  return timingSafeEqual(Buffer.from(signature), Buffer.from(sign(Number(ends), token)));
}

function sign(endsMs: number, token: string): string {
  return createHmac('sha256', token).update(`messenger ops session until ${endsMs}`).digest('hex');
}
