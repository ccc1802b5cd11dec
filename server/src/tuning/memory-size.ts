const megabyte = 2 ** 20;
const units: Readonly<Record<string, number>> = { MB: megabyte, GB: 2 ** 30, TB: 2 ** 40 };

/** `512MB`, `16GB`, `1.5TB` as bytes, with PostgreSQL's units of 1024; undefined for other text. */
export function parseMemorySize(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?) ?([MGT]B)$/u.exec(text.trim().toUpperCase()) ?? [];
  const unitBytes = units[unit];
  return amount === undefined || unitBytes === undefined ? undefined : Number(amount) * unitBytes;
}

/** In PostgreSQL's syntax: whole GB if exact, else MB, rounded down, at least 1MB. */
export function showMemorySize(bytes: number): string {
  const megabytes = Math.max(1, Math.floor(bytes / megabyte));
  return megabytes % 1024 === 0 ? `${megabytes / 1024}GB` : `${megabytes}MB`;
}
