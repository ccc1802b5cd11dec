import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * argon2id with 19 MiB and 2 passes: OWASP's minimum, 25 ms of one core here. Raise them only here: a hash contains its parameters, and a
 * sign-in with older ones stores a new hash.
 */
const currentCost = { memoryKib: 19_456, passes: 2, parallelism: 1 } as const;

const saltBytes = 16;
const tagBytes = 32;

/** A hash as it is stored, in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`. */
interface StoredHash {
  readonly memoryKib: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly tag: Buffer;
}

const derive = promisify<'argon2id', Argon2Parameters, Buffer>(argon2);

function deriveTag(message: string, { memoryKib, passes, parallelism, salt, tag }: StoredHash): Promise<Buffer> {
  const cost = { memory: memoryKib, passes, parallelism };
  return derive('argon2id', { ...cost, message, nonce: salt, tagLength: tag.length });
}

/** A hash of a random password, for sign-ins to unknown names. */
export function dummyHash(): StoredHash {
  return { ...currentCost, salt: randomBytes(saltBytes), tag: Buffer.alloc(tagBytes) };
}

export async function hashNormalised(password: string): Promise<string> {
  const fresh = dummyHash();
  const tag = await deriveTag(password, fresh);
  const { memoryKib, passes, parallelism } = currentCost;
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$${base64(fresh.salt)}$${base64(tag)}`;
}

/** Takes constant time for all wrong passwords. */
export async function matches(password: string, stored: StoredHash): Promise<boolean> {
  return timingSafeEqual(await deriveTag(password, stored), stored.tag);
}

export function isCurrent({ memoryKib, passes, parallelism, salt, tag }: StoredHash): boolean {
  return (
    memoryKib === currentCost.memoryKib &&
    passes === currentCost.passes &&
    parallelism === currentCost.parallelism &&
    salt.length === saltBytes &&
    tag.length === tagBytes
  );
}

/** Throws for text in another format; the message contains nothing of it. */
export function parseHash(text: string): StoredHash {
  const match = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([\w+/-]{11,86})\$([\w+/-]{16,86})$/u.exec(
    text,
  );
  if (match === null) throw new Error('a stored password hash is not in the expected form');
  const [, memory, passes, parallelism, salt = '', tag = ''] = match;
  return {
    memoryKib: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

/** Without padding, as PHC strings have it. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/u, '');
}
