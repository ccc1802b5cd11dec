import type { LogLine } from './postgres-log.ts';
import type { SlotState } from './slot.ts';
import { failsForCopies, findStorageFault, type StorageFault } from './storage-fault.ts';

/** How many checks in a row have to find the standby cut off with a new complaint each. */
const patience = 3;

/**
 * Ends of the receiver that say nothing about the standby's data: the primary is away, either side is stopping, or the
 * standby's own disk is full or not writable, where a second copy would not fit either.
 */
const passing =
  /could not connect to the primary|terminating walreceiver|server closed the connection|is active for PID/i;

/**
 * Judges whether a standby can still follow its primary. Fed with every message of the standby (`hear`) and once per
 * check with the slot as the answering primary sees it (`judge`). Of the receiver's many ways to fail
 * (WAL removed, other timeline, other system, slot missing …) it needs to know none: what counts is that the primary
 * is there, nobody streams, and the receiver fails again and again for reasons of its own.
 */
export class FollowCheck {
  #complaint: string | undefined;
  #cutOff = 0;
  #fault: StorageFault | undefined;
  #isFaultNew = false;

  /** Why the standby cannot store what the primary sends, until it streams without this complaint. */
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

  /** Why the standby cannot follow any more, or undefined while it may. Not to be called while the primary is away. */
  judge(slot: SlotState | undefined): string | undefined {
    if (slot?.walStatus === 'lost') return 'the primary no longer has the WAL that it needs (max_slot_wal_keep_size)';
    if (slot?.isActive === true && !this.#isFaultNew) this.#fault = undefined;
    this.#isFaultNew = false;
    const complaint = this.#complaint;
    this.#complaint = undefined;
    this.#cutOff = slot?.isActive === true || complaint === undefined ? 0 : this.#cutOff + 1;
    return this.#cutOff >= patience ? complaint : undefined;
  }

  /** Forgets what was heard: the primary did not answer, or the standby is a new one. */
  reset(): void {
    this.#complaint = undefined;
    this.#cutOff = 0;
  }
}
