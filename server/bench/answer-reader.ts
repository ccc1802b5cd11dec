const endOfHead = Buffer.from('\r\n\r\n');

/**
 * Finds the ends of answers in what one connection receives. Knows only what our server sends: HTTP/1.1 answers with a
 * Content-Length, or without a body. Throws for anything else.
 */
export class AnswerReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The status of the answer that these bytes complete; undefined while it is not whole. */
  push(chunk: Buffer): number | undefined {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = this.#rest.indexOf(endOfHead);
    if (end === -1) return undefined;
    const head = this.#rest.toString('latin1', 0, end);
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: (\d+)/iu.exec(head)?.[1];
    if (length === undefined && status !== 204) throw new Error(`an answer without a length: ${head}`);
    const size = end + endOfHead.length + Number(length ?? 0);
    if (this.#rest.length < size) return undefined;
    this.#rest = this.#rest.subarray(size);
    return status;
  }
}
