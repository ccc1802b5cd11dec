import { errorCode, messageOf } from '../lib/error-code.ts';

/** A storage problem of a server. It does not resolve itself, and the data is not defective. */
export type StorageFault = 'disk_full' | 'read_only' | 'no_permission' | 'io_error' | 'folder_missing';

/** Matches the C library's messages, which PostgreSQL reports, and Node's error codes. */
const signs: Readonly<Record<StorageFault, RegExp>> = {
  disk_full: /No space left on device|Disk quota exceeded|\b(?:ENOSPC|EDQUOT)\b/,
  read_only: /Read-only file system|\bEROFS\b/,
  no_permission: /Permission denied|\b(?:EACCES|EPERM)\b/,
  io_error: /Input\/output error|\bEIO\b/,
  folder_missing: /holds no database|data directory "[^"]*" does not exist/,
};

const faults = ['disk_full', 'read_only', 'no_permission', 'io_error', 'folder_missing'] as const;

/** The storage fault behind a server's end or an error; undefined for other causes. */
export function findStorageFault(reason: unknown): StorageFault | undefined {
  const text = typeof reason === 'string' ? reason : `${errorCode(reason) ?? ''} ${messageOf(reason)}`;
  return faults.find((fault) => signs[fault].test(text));
}

/** For the operator: "the primary is down: its disk is full". */
export const faultTexts: Readonly<Record<StorageFault | 'crash', string>> = {
  disk_full: 'its disk is full',
  read_only: 'its file system is read-only',
  no_permission: 'it has no permission for its folder',
  io_error: 'its disk reports I/O errors',
  folder_missing: 'its folder is missing',
  crash: 'it ended unexpectedly',
};

/** Whether another copy of the files would fail, too. */
export function failsForCopies(fault: StorageFault | 'crash' | undefined): boolean {
  return fault === 'disk_full' || fault === 'read_only';
}
