/** What settings are computed for. */
export interface Profile {
  /** Of one database server, in bytes. */
  readonly memoryBytes: number;
  /** Of one database server. */
  readonly cpus: number;
  /** Worker processes of one instance of Messenger. */
  readonly workers: number;
  /** Instances of Messenger on the same databases. */
  readonly instances: number;
  readonly storage: Storage;
  readonly durability: Durability;
}

/** What a write is on when it is answered: the disk, nothing yet, or the disk of a standby as well. */
export type Durability = 'on' | 'off' | 'standby';

export type Storage = 'ssd' | 'hdd';

/** One line of advice. */
export interface Tuned {
  readonly name: string;
  readonly value: string;
  /** Why this value, and what else it could be; one line. */
  readonly reason: string;
}
