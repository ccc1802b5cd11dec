import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The first paths that tests of PostgreSQL read in a checkout. */
const needed = ['package.json', 'node_modules', 'server'];

/**
 * The command that makes the checkout readable for every user, as one line; undefined when it is. PostgreSQL does not
 * run as root, so its tests, started as root, become `messenger` or `nobody`.
 */
export function explainClosedCheckout(checkout: string): string | undefined {
  const root = realpathSync(checkout);
  const folders = foldersAbove(root).filter((folder) => !allows(folder, 0o001));
  const isClosed = !allows(root, 0o005) || needed.some((name) => !allows(join(root, name), 0o004));
  if (folders.length === 0 && !isClosed) return undefined;
  const commands = [
    ...(folders.length === 0 ? [] : [`chmod o+x ${folders.join(' ')}`]),
    ...(isClosed ? [`chmod -R o+rX ${root}`] : []),
  ];
  return (
    'npm test as root runs PostgreSQL as an ordinary user, who cannot read this checkout. ' +
    `Run \`${commands.join(' && ')}\`, or move the checkout, or run npm test as an ordinary user.`
  );
}

function foldersAbove(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...foldersAbove(parent), parent];
}

function allows(path: string, mode: number): boolean {
  return !existsSync(path) || (statSync(path).mode & mode) === mode;
}
