import { closeCodeNames, type CloseCode } from '@messenger/protocol/close-codes';

/** Why a socket has ended: our code, or `client` closed it, `lost` without a close frame, `protocol` for a violation of RFC 6455. */
export type EndReason = CloseCode | 'client' | 'lost' | 'protocol';

export const endReasons: readonly EndReason[] = [...closeCodeNames, 'client', 'lost', 'protocol'];

/** What the sockets of a process have done since its start; for the metrics. */
export class SocketFigures {
  open = 0;
  /** Sockets that are behind now, and how often one fell behind. */
  behind = 0;
  fellBehind = 0;
  framesIn = 0;
  framesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  slowDowns = 0;
  readonly #ended = new Map<EndReason, number>();

  countEnd(reason: EndReason): void {
    this.#ended.set(reason, this.endedBy(reason) + 1);
  }

  endedBy(reason: EndReason): number {
    return this.#ended.get(reason) ?? 0;
  }
}
