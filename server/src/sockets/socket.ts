import type { CloseCode } from '@messenger/protocol/close-codes';

import type { Frame } from './frame.ts';

/**
 * `durable` frames are refused to a slow reader, whose owner reads them from the database later; `ephemeral` ones are lost for it. An
 * `answer` to a frame of the client is taken up to `answersBytes`, which no client reaches that reads its answers.
 */
export type FrameKind = 'durable' | 'ephemeral' | 'answer';

/** The owner's side of a socket. */
export interface SocketHandler {
  /** A frame has arrived: a JSON object of limited depth, with the size of its text. */
  onFrame(frame: object, bytes: number): void;
  /** Everything unsent has drained after `send` returned `behind`. */
  onDrained(): void;
  /** Called once: nothing more arrives, and nothing more is sent. */
  onClose(): void;
}

/** The engine's side of a socket. */
export interface Socket {
  /** Unique in this process. */
  readonly id: string;
  /** The network address of the client. */
  readonly address: string;
  /** The session of a browser's cookie, which came from a page of this server; or of `Authorization`. */
  readonly sessionToken: string | undefined;
  readonly userAgent: string | undefined;
  readonly unsentBytes: number;
  /** Does not block or throw. `behind`: too much is unsent, and this frame was not taken. */
  send(frame: Frame, kind: FrameKind): 'sent' | 'behind' | 'closed';
  /** Sends `bye` and closes. Codes up to 4499 get an `after_ms`: this one, or a random one. Nothing arrives afterwards except `onClose`. */
  end(code: CloseCode, afterMs?: number): void;
  /** Counts the socket for its account. If that has too many now, the one that has been silent longest is closed. Call it once. */
  belongsTo(userId: string): void;
}

/** Called for every new socket. */
export type OpenSocket = (socket: Socket) => SocketHandler;
