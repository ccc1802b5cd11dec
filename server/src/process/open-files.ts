import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

import { openFilesLimit } from './open-files-limit.ts';

export interface OpenFiles {
  /** Undefined when the system does not tell. */
  readonly open: number | undefined;
  /** Undefined when there is no limit. */
  readonly limit: number | undefined;
}

/**
 * Counts the files, sockets included, that this process has open. Since Linux 6.2 the size of `/proc/self/fd` is that count, which
 * needs no descriptor and no list of names; older kernels are asked for the list in the background, and the count is that of
 * the call before.
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
