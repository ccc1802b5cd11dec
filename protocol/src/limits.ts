/** Limits that clients can rely on; the server enforces each of them. */

/** A first or last name, in Unicode code points after trimming and NFC. */
export const nameMaxLength = 100;

/** A password, in Unicode code points after NFKC. */
export const passwordMinLength = 12;
export const passwordMaxLength = 256;

/** Rows of one page: what a client gets without asking, and the most it can ask for. */
export const pageLimitDefault = 100;
export const pageLimitMax = 1000;

/** PostgreSQL's `offset` is a bigint; nobody pages by hand beyond this. Use `after` for deep pages. */
export const pageOffsetMax = 2_147_483_647;

/** An `Idempotency-Key`, in characters of ASCII; and the hours for which it is kept. */
export const idempotencyKeyMaxLength = 255;
export const idempotencyKeyHours = 24;
