/** What every process of the databases is spawned with: a folder that it can enter, and no environment of ours. */
export const spawnOptions = {
  cwd: '/',
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
} as const;
