/** Common to all database processes: an accessible working directory, and none of our environment. */
export const spawnOptions = {
  cwd: '/',
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
} as const;
