import type { WalRange } from './manifest.ts';

/** Bytes covered by one value of the second part of a segment's name. */
const logBytes = 0x1_0000_0000;

function positionOf(lsn: string): number {
  const [high = '', low = ''] = lsn.split('/');
  return Number.parseInt(high, 16) * logBytes + Number.parseInt(low, 16);
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');

/** The names of the WAL segments in a range. */
export function segmentsOf({ timeline, startLsn, endLsn }: WalRange, segmentBytes: number): string[] {
  const first = Math.floor(positionOf(startLsn) / segmentBytes);
  const last = Math.floor(Math.max(0, positionOf(endLsn) - 1) / segmentBytes);
  const perLog = logBytes / segmentBytes;
  const numbers = Array.from({ length: Math.max(1, last - first + 1) }, (_, index) => first + index);
  return numbers.map((number) => hex(timeline) + hex(Math.floor(number / perLog)) + hex(number % perLog));
}

const segmentName = /^[0-9A-F]{24}(?:$|\.)/u;

/** Whether an archived file is a segment, history label or partial segment older than this one, on any timeline. */
export function isOlderSegment(name: string, oldest: string): boolean {
  return segmentName.test(name) && name.slice(8, 24) < oldest.slice(8, 24);
}
