import { socketLimits } from './socket-limits.ts';

/** The object of a text, or why it is refused. */
export function parseFrame(text: string): object | 'not_json' | 'too_deep' {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not_json';
  return isDeeper(value, socketLimits.depth) ? 'too_deep' : value;
}

function isDeeper(value: object, levels: number): boolean {
  if (levels === 0) return true;
  return Object.values(value).some(
    (one: unknown) => typeof one === 'object' && one !== null && isDeeper(one, levels - 1),
  );
}
