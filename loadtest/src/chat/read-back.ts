import { Connection, type Address } from '../connection.ts';
import type { Recorder } from '../recorder.ts';
import type { Ledger, Sent } from './ledger.ts';

export interface Written {
  readonly conversationId: string;
  readonly number: number;
  readonly sent: Sent;
  /** Of the acknowledgement. */
  readonly position: string | undefined;
  /** Of the sender's session. */
  readonly token: string;
  readonly ledger: Ledger;
}

interface Options {
  readonly address: Address;
  readonly host: string;
  readonly recorder: Recorder;
  readonly now: () => number;
}

/** Reads messages by REST after their acknowledgement, at its position or later. */
export class ReadBack {
  readonly #options: Options;
  #inFlight = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  check({ conversationId, number, sent, position, token, ledger }: Written): void {
    const { address, host, recorder, now } = this.#options;
    const dueMs = now();
    this.#inFlight += 1;
    const end = (fault?: { readonly kind: string }): void => {
      this.#inFlight -= 1;
      connection.close();
      recorder.record('Read After Send', now() - dueMs, fault);
    };
    const connection = new Connection(address, {
      onFault: end,
      onAnswer: ({ status, body }) => {
        if (status !== 200) return end({ kind: `status ${status}` });
        if (!holds(body, sent.id))
          ledger.violations.add('stale read', `${ledger.name}: message ${number} is not there`);
        return end();
      },
    });
    const path = `/api/v1/conversations/${conversationId}/messages?after=${number - 1}&limit=1`;
    const fresh = position === undefined ? '' : `Consistency-Token: ${position}\r\n`;
    const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\n`;
    connection.send(`${head}Authorization: Bearer ${token}\r\n${fresh}Connection: close\r\n\r\n`);
  }
}

/** Whether the page begins with the message. */
function holds(body: Buffer, id: string): boolean {
  try {
    const page: unknown = JSON.parse(body.toString());
    const first: unknown = Array.isArray(page) ? page[0] : undefined;
    return typeof first === 'object' && first !== null && 'id' in first && first.id === id;
  } catch {
    return false;
  }
}
