import type { LogLine } from './postgres-log.ts';
import type { SlotState } from './slot.ts';
import { failsForCopies, findStorageFault, type StorageFault } from './storage-fault.ts';

/** Successive checks, each with a new error of the receiver, after which the standby counts as cut off. */
const patience = 3;

/**
 * Errors of the receiver that do not concern the standby's data: the primary is unavailable, either side is stopping,
 * or the standby's own disk is full or not writable, where a second copy would not fit either.
 */
const passing =
  /could not connect to the primary|terminating walreceiver|server closed the connection|is active for PID/i;

/**
 * Judges whether a standby can still follow its primary. `hear` gets every message of the standby; `judge` is called
 * once per check with the slot as the primary reports it. The receiver's specific errors (WAL removed, other timeline,
 * other system, slot missing …) do not matter: only that the primary is available, nothing streams, and the receiver
 * fails repeatedly with errors of its own.
 */
export class FollowCheck {
  #complaint: string | undefined;
  #cutOff = 0;
  #fault: StorageFault | undefined;
  #isFaultNew = false;

  /** Why the standby cannot store WAL, until it streams without this error. */
  get fault(): StorageFault | undefined {
    return this.#fault;
  }

  hear(line: LogLine): void {
    if (line.backend !== 'walreceiver' || line.severity !== 'FATAL' || passing.test(line.text)) return;
    const fault = findStorageFault(line.text);
    this.#isFaultNew = failsForCopies(fault);
    if (this.#isFaultNew) this.#fault = fault;
    else this.#complaint = line.text;
  }

  /**
   * Why the standby cannot follow any more; undefined while it may. Do not call it while the primary is unavailable.
   */
  judge(slot: SlotState | undefined): string | undefined {
    if (slot?.walStatus === 'lost') return 'the primary no longer has the WAL that it needs (max_slot_wal_keep_size)';
    if (slot?.isActive === true && !this.#isFaultNew) this.#fault = undefined;
    this.#isFaultNew = false;
    const complaint = this.#complaint;
    this.#complaint = undefined;
    this.#cutOff = slot?.isActive === true || complaint === undefined ? 0 : this.#cutOff + 1;
    return this.#cutOff >= patience ? complaint : undefined;
  }

  /** Discards the state: the primary did not answer, or the standby is a new one. */
  reset(): void {
    this.#complaint = undefined;
    this.#cutOff = 0;
  }
}
