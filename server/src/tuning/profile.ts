/** The input of the computation. */
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

/** Where an acknowledged write is: on disk, not yet on disk, or on the disk of a standby as well. */
export type Durability = 'on' | 'off' | 'standby';

export type Storage = 'ssd' | 'hdd';

/** One recommended setting. */
export interface Tuned {
  readonly name: string;
  readonly value: string;
  /** Why this value, and alternatives; one line. */
  readonly reason: string;
}
