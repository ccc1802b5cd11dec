import { constants } from 'node:fs/promises';

import type { Config } from './config.ts';
import { findBinaries } from './embedded/binaries.ts';
import { layoutOf } from './embedded/data-folder.ts';
import { defaultUser, giveDataFolder, ownerOf } from './embedded/give-data-folder.ts';
import { OperatorError } from './lib/operator-error.ts';
import { assertReachable, becomeUser, currentUser, findUser, isRoot, type OsUser } from './process/os-user.ts';

export interface LeaveOptions {
  /** The program that worker processes run. */
  readonly exec: string;
  /** Whether the data folder may be created, or taken over from root. */
  readonly givesData: boolean;
  readonly warn: (text: string) => void;
}

/**
 * Started as root: gives the data folder of embedded databases to an ordinary user, and irrevocably becomes that user.
 * Call it after all secrets are read, and before any other use of the data folder. Started as another user: only checks
 * that MESSENGER_USER names that user. Throws `OperatorError`.
 */
export async function leaveRoot({ server, embedded, writeDb }: Config, options: LeaveOptions): Promise<void> {
  if (!isRoot()) {
    assertSelf(server.user);
    return;
  }
  const layout = writeDb.host === undefined ? await layoutOf(embedded.dataDir) : undefined;
  const owner = layout === undefined ? undefined : await ownerOf(layout);
  const user = server.user === undefined ? (owner ?? (await defaultUser())) : await getUser(server.user);
  if (layout !== undefined && options.givesData) {
    // If root owns the packages, nobody else can make their links.
    await findBinaries(embedded.binariesDir);
    await giveDataFolder(layout, user);
  }
  becomeUser(user);
  await assertReachable(process.execPath);
  await assertReachable(options.exec, constants.R_OK);
  if (user.name === 'nobody') options.warn(aboutNobody(layout?.root));
}

function assertSelf(requested: string | undefined): void {
  const { name } = currentUser();
  if (requested === undefined || requested === name) return;
  throw new OperatorError(
    `MESSENGER_USER is "${requested}", but only root can become another user, and this is "${name}". Leave ` +
      `MESSENGER_USER out, or start as "${requested}".`,
  );
}

async function getUser(name: string): Promise<OsUser> {
  const user = await findUser(name);
  if (user === undefined)
    throw new OperatorError(`MESSENGER_USER: there is no user "${name}" on this machine. ${creation(name)}`);
  if (user.uid !== 0) return user;
  throw new OperatorError(
    `MESSENGER_USER is "${name}", which is root. Name an ordinary user. ${creation('messenger')}`,
  );
}

function creation(name: string): string {
  return `On Linux, \`useradd --system --shell /usr/sbin/nologin ${name}\` creates one.`;
}

function aboutNobody(dataDir: string | undefined): string {
  const data =
    dataDir === undefined ? '' : ` With the server stopped, \`chown -R messenger ${dataDir}\` gives it the data.`;
  return (
    'running as "nobody": every other process of that user can read the secrets and change the databases. ' +
    `A user "messenger" is safer. ${creation('messenger')}${data}`
  );
}
