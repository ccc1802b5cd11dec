/** What `http-cost.ts` compares, and what each side is asked. */
const head = 'HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n';
const get = { request: `GET /api/v1/users/019ab0a4-2f4c-7d6e-9d5b-2f6f0a1b3c4d ${head}`, status: 200 };

export const sides = {
  bare: get,
  'bare with our headers': get,
  messenger: get,
  'messenger counting': get,
  'messenger refusing': { ...get, status: 503 },
} as const;

export type Side = keyof typeof sides;

/** The first is what the others are compared with. */
export const sideNames: readonly Side[] = [
  'bare',
  'bare with our headers',
  'messenger',
  'messenger counting',
  'messenger refusing',
];
