/** A socket with frames to write. */
export interface Sender {
  flush(): void;
}

/** Writes the frames of an event-loop turn at its end: one system call per socket, however many frames it got. */
export class Outbox {
  #senders: Sender[] = [];

  add(sender: Sender): void {
    if (this.#senders.push(sender) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const senders = this.#senders;
    this.#senders = [];
    for (const sender of senders) sender.flush();
  }
}
