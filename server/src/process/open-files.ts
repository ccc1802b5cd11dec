import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

import { openFilesLimit } from './open-files-limit.ts';

export interface OpenFiles {
  /** Undefined when the system does not provide it. */
  readonly open: number | undefined;
  /** Undefined when there is no limit. */
  readonly limit: number | undefined;
}

/**
 * Counts the open files of this process, sockets included. Since Linux 6.2 the size of `/proc/self/fd` is that count,
 * and takes neither a descriptor nor a list of names. On older kernels the list is read in the background, and the
 * result is that of the previous call.
 */
export class OpenFilesCount {
  readonly #limit = openFilesLimit();
  #listed: number | undefined;

  read(): OpenFiles {
    const open = statSync('/proc/self/fd', { throwIfNoEntry: false })?.size;
    if (open !== 0) return { open, limit: this.#limit };
    void this.#list();
    return { open: this.#listed, limit: this.#limit };
  }

  async #list(): Promise<void> {
    this.#listed = await readdir('/proc/self/fd').then(
      (names) => names.length,
      () => undefined,
    );
  }
}
