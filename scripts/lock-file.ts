import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Parses `package-lock.json`, which npm has written. */
export function readLockFile(path: URL): LockFile {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm's own format, version 3.
  return JSON.parse(readFileSync(path, 'utf8')) as LockFile;
}

const platform =
  /(?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/u;

/**
 * Entries for optional packages of other platforms that a lock file lacks. npm omits those that its registry does not
 * have at the time, and `npm ci` of npm 11 refuses such a lock file.
 */
export function findMissingPlatforms({ packages }: LockFile): Record<string, object> {
  const missing: Record<string, object> = {};
  for (const { dev, optionalDependencies = {} } of Object.values(packages)) {
    for (const [name, range] of Object.entries(optionalDependencies)) {
      const path = `node_modules/${name}`;
      const { os, cpu, abi } = platform.exec(name)?.groups ?? {};
      if (path in packages || os === undefined) continue;
      missing[path] = {
        version: range.replace(/^[~^]/u, ''),
        cpu: [cpu],
        ...(dev === true ? { dev } : {}),
        ...(os === 'linux' && abi !== undefined ? { libc: [abi.includes('musl') ? 'musl' : 'glibc'] } : {}),
        license: 'MIT',
        optional: true,
        os: [os],
      };
    }
  }
  return missing;
}

/** `npm run lock`: completes the lock file. */
if (import.meta.main) {
  const path = new URL('../package-lock.json', import.meta.url);
  const lock = readLockFile(path);
  const missing = findMissingPlatforms(lock);
  const packages = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, undefined, 2)}\n`);
  process.stdout.write(`${Object.keys(missing).length} platform packages were missing\n`);
}
