import { integer, optionalText } from './lib/options.ts';

/** Of the section `backup`. */
export const backupOptions = {
  dir: optionalText({
    env: 'BACKUP_DIR',
    help: 'Folder of backups: the default of `messenger backup`; /metrics and `messenger doctor` report the age of the newest',
  }),
  maxAgeHours: integer({
    env: 'BACKUP_MAX_AGE_HOURS',
    default: 26,
    min: 1,
    max: 8_760,
    help: 'Maximum age of the newest backup in hours, for `messenger doctor` and the alert',
  }),
  user: optionalText({
    env: 'DB_BACKUP_USER',
    defaultText: 'DB_WRITE_USER, or DB_READ_USER on a standby',
    help: 'Role with REPLICATION, for `messenger backup` of your own servers',
  }),
  password: optionalText({ env: 'DB_BACKUP_PASSWORD', secret: true, help: 'Password of that role' }),
} as const;
