import { closeCodes, socketPath, subprotocol } from '@messenger/protocol/close-codes';
import { clientFrames, serverFrames } from '@messenger/protocol/frames';

const head = [
  '<!-- Generated from protocol/src/frames.ts and close-codes.ts by `npm run docs`. Do not edit. -->',
  '',
  '# Realtime',
  '',
  `\`GET ${socketPath}\` with the subprotocol \`${subprotocol}\` opens a WebSocket. Both sides send JSON objects as text frames, \`{"op": "…", …}\`. \`/asyncapi.json\` has the`,
  'schemas. A client that ignores an `op` or a field that it does not know works with later releases.',
  '',
  '```',
  '→ {"op":"hello","token":"…"}',
  '← {"op":"welcome","user":{…},"position":"…","whole":true,"heads":[…],"left":[],"complete":true,"ping_ms":25000}',
  '→ {"op":"open","ref":"1","conversation_id":"…","after":0}',
  '← {"op":"done","ref":"1"}',
  '← {"op":"changes","position":"…","conversation_id":"…","from":0,"to":7,"complete":true,"messages":[…],…}',
  '→ {"op":"send","ref":"2","conversation_id":"…","id":"…","body":"Hello"}',
  '← {"op":"done","ref":"2","position":"…","number":5,"seq":8,"created_at":"…"}',
  '← {"op":"changes","position":"…","conversation_id":"…","from":7,"to":8,…}',
  '```',
  '',
  '## Rules for clients',
  '',
  '- Browsers send the cookie with the upgrade; other clients send the token in `hello`.',
  '- `changes` of a conversation follow one another: each `from` is the `to` before. If not, `open` the conversation again with `after`: the `to` that',
  '  you have. Of each message and member, keep the state with the largest `seq`.',
  '- Keep the `position` of the last frame from `welcome` (once its heads are `complete`), `changes`, `head`, `me`, `joined` and `left`. After a lost',
  '  connection, send it as `since`: `welcome` has what changed since then, or everything (`whole`). The position of `done` is for `Consistency-Token`',
  '  alone.',
  '- A conversation that is not open sends its newest `head`, at most ten times a second.',
  '- The frames of one socket to one conversation are executed in their order. Several may be unanswered.',
  '- A send that was not answered is sent again with the same `id`: it is stored once.',
  '- `typing`, `presence` and `read` may be lost. Nothing else is.',
  '',
];

interface Described {
  readonly description?: string;
  readonly properties: object;
  readonly required?: readonly string[];
}

function rows(frames: Readonly<Record<string, Described>>): string[] {
  return Object.entries(frames).map(([op, { description = '', properties, required = [] }]) => {
    const fields = Object.keys(properties)
      .filter((name) => name !== 'op')
      .map((name) => `\`${name}\`${required.includes(name) ? '' : '?'}`);
    return `| \`${op}\` | ${fields.join(', ')} | ${description} |`;
  });
}

/** docs/realtime.md. */
export function renderRealtimePage(): string {
  const table = ['| op | fields | |', '|---|---|---|'];
  const codes = Object.entries(closeCodes).map(([name, { code, title }]) => `| ${code} | \`${name}\` | ${title} |`);
  return [
    ...head,
    '## Frames of clients',
    '',
    ...table,
    ...rows(clientFrames),
    '',
    '## Frames of the server',
    '',
    ...table,
    ...rows(serverFrames),
    '',
    '## Close codes',
    '',
    'After 4000 to 4499, connect again after `after_ms` milliseconds: it is in `bye` and in the close reason. After others, the cause would be the same.',
    '',
    '| code | reason | |',
    '|---|---|---|',
    ...codes,
    '',
  ].join('\n');
}
