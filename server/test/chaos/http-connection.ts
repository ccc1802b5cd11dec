import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly token: string | undefined;
  readonly requestId: string;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** ASCII only. */
  readonly body?: string;
  readonly token?: string | undefined;
  /** The token of a session. */
  readonly session?: string | undefined;
}

/** The server closed or reset the connection. */
export class CutError extends Error {
  override readonly name = 'CutError';
}

/**
 * One keep-alive connection, one request at a time, ASCII only. Node's own client takes more CPU than the server under
 * test, and hides which connection a request used.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #text = '';
  #waiting: PromiseWithResolvers<Answer> | undefined;
  #end: CutError | undefined;
  /** The process at the other end, from its request ids; undefined before the first answer. */
  worker: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay().setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#fail(new CutError(error.message)));
    socket.on('close', () => this.#fail(new CutError('closed')));
  }

  /** Rejects with the socket's error. */
  static async open({ hostname, port }: URL): Promise<HttpConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect(Number(port), hostname, resolve);
    socket.once('error', reject);
    await promise;
    socket.off('error', reject);
    return new HttpConnection(socket);
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Rejects with `CutError` when the connection ends before the answer. */
  async send(request: HttpRequest): Promise<Answer> {
    if (this.#end !== undefined) throw this.#end;
    this.#waiting = Promise.withResolvers<Answer>();
    this.#socket.write(render(request), 'latin1');
    return await this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#text.slice(0, headEnd + 2);
    const length = Number(/\r\ncontent-length: (\d+)\r\n/iu.exec(head)?.[1] ?? 0);
    if (this.#text.length < headEnd + 4 + length) return;
    const answer = parse(head, this.#text.slice(headEnd + 4, headEnd + 4 + length));
    this.#text = this.#text.slice(headEnd + 4 + length);
    this.worker = answer.requestId.slice(0, answer.requestId.lastIndexOf('-'));
    if (/\r\nconnection: close\r\n/iu.test(head)) this.#end = new CutError('closed after an answer');
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
  }

  #fail(error: CutError): void {
    this.#end ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

function parse(head: string, body: string): Answer {
  return {
    status: Number(head.slice(9, 12)),
    body,
    token: /\r\nconsistency-token: (\S+)\r\n/iu.exec(head)?.[1],
    requestId: /\r\nrequest-id: (\S+)\r\n/iu.exec(head)?.[1] ?? '',
  };
}

function render({ method, path, body, token, session }: HttpRequest): string {
  const authorization = session === undefined ? '' : `authorization: Bearer ${session}\r\n`;
  const consistency = token === undefined ? '' : `consistency-token: ${token}\r\n`;
  const content =
    body === undefined ? '\r\n' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  return `${method} ${path} HTTP/1.1\r\nhost: chaos\r\n${authorization}${consistency}${content}`;
}
