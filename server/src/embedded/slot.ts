import type pg from 'pg';

import type { Endpoint } from '../db/endpoint.ts';
import { openSession, type Session } from '../db/session.ts';
import { slotName } from './settings.ts';
import { forMaintenance, maintenanceSession } from './sql.ts';
import { poll, within } from './wait.ts';

/** The standby's replication slot on the primary; undefined when there is none. */
export interface SlotState {
  readonly isActive: boolean;
  /** `lost`: WAL that the standby still needs has been removed. */
  readonly walStatus: string | undefined;
}

const readSlot = 'select active, wal_status from pg_replication_slots where slot_name = $1';
const createSlot = 'select pg_create_physical_replication_slot($1, true)';
const dropSlot =
  'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active';
const cutOffStandby =
  'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active';

async function findSlot(client: pg.Client, name: string = slotName): Promise<SlotState | undefined> {
  const { rows } = await client.query<{ active: boolean; wal_status: string | null }>(readSlot, [name]);
  const [row] = rows;
  return row && { isActive: row.active, walStatus: row.wal_status ?? undefined };
}

/** Creates the slot if it is missing; from then on it retains WAL. */
export async function ensureSlot(client: pg.Client, name: string = slotName): Promise<void> {
  if ((await findSlot(client, name)) === undefined) await client.query(createSlot, [name]);
}

/** Time for the WAL sender of a vanished standby to notice, before it is terminated. */
const releaseMs = 10_000;

/** Drops the slot. The standby must have been stopped; a remaining connection is terminated. */
export async function removeSlot(client: pg.Client, signal: AbortSignal, name: string = slotName): Promise<void> {
  const isGone = async (): Promise<true | undefined> => {
    await client.query(cutOffStandby, [name]);
    await client.query(dropSlot, [name]);
    return (await findSlot(client, name)) === undefined ? true : undefined;
  };
  await poll(isGone, { everyMs: 50, signal: within(signal, releaseMs) });
}

/** A primary that takes longer to answer about its slot counts as down. In ms. */
const answerTimeoutMs = 2_000;

/** Asks the primary about the standby's slot, over one connection that is opened again when it breaks. */
export class SlotReader {
  readonly #primary: Endpoint;
  #session: Session | undefined;

  constructor(primary: Endpoint) {
    this.#primary = primary;
  }

  /** The slot, wrapped because it may be absent; undefined when the primary does not answer. */
  async read(): Promise<{ readonly slot: SlotState | undefined } | undefined> {
    try {
      this.#session ??= await openSession(forMaintenance(this.#primary), { ...maintenanceSession, answerTimeoutMs });
      return { slot: await findSlot(this.#session.client) };
    } catch {
      await this.close();
      return undefined;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
