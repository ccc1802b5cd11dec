const endOfHead = Buffer.from('\r\n\r\n');
/** Of `Content-Length`, in any case. */
const lengthName = Buffer.from('ength: ');
const closing = Buffer.from('onnection: close\r\n');

/**
 * Finds the end of each answer on one connection without pipelining. Supports only what our servers send: HTTP/1.1
 * answers with a Content-Length, or without a body. Throws for anything else.
 */
export class AnswerReader {
  /** The received part of an incomplete head. */
  #start: Buffer | undefined;
  #missing = 0;
  #status = 0;
  #closes = false;

  /** Whether the server closes the connection after the last answer. */
  get closes(): boolean {
    return this.#closes;
  }

  /**
   * The status of the answer that these bytes complete; undefined while it is incomplete. Keeps no reference to
   * `chunk`.
   */
  push(chunk: Buffer): number | undefined {
    const missing = this.#missing > 0 ? this.#missing - chunk.length : this.#readHead(chunk);
    if (missing === undefined) return undefined;
    if (missing < 0) throw new Error('bytes after the end of an answer');
    this.#missing = missing;
    return missing === 0 ? this.#status : undefined;
  }

  /** The number of bytes still missing; undefined while the head is incomplete. */
  #readHead(chunk: Buffer): number | undefined {
    const bytes = this.#start === undefined ? chunk : Buffer.concat([this.#start, chunk]);
    const end = bytes.indexOf(endOfHead);
    this.#start = end === -1 ? Buffer.from(bytes) : undefined;
    if (end === -1) return undefined;
    this.#status = numberAt(bytes, 9);
    const closesAt = bytes.indexOf(closing);
    this.#closes = closesAt !== -1 && closesAt < end;
    return end + endOfHead.length + this.#lengthIn(bytes, end) - bytes.length;
  }

  #lengthIn(bytes: Buffer, end: number): number {
    const name = bytes.indexOf(lengthName);
    if (name !== -1 && name < end) return numberAt(bytes, name + lengthName.length);
    if (this.#status === 204) return 0;
    throw new Error(`an answer without a length: ${bytes.toString('latin1', 0, end)}`);
  }
}

function numberAt(bytes: Buffer, from: number): number {
  let value = 0;
  for (let index = from; ; index += 1) {
    const digit = (bytes[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}
