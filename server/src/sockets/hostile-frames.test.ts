/** What clients may send, and what not: RFC 6455 as in the cases of Autobahn, and the limits of this server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { closeCodes } from '@messenger/protocol/close-codes';
import fc from 'fast-check';

import { maskedFrame, SocketServer, type Owned, type RawClient } from '../../test/sockets.ts';
import { waitFor } from '../../test/wait-for.ts';

let server: SocketServer;
before(async () => {
  server = await SocketServer.start();
});
after(async () => server.stop());

async function open(): Promise<{ client: RawClient; owned: Owned }> {
  const client = await server.connectRaw();
  return { client, owned: server.newest };
}

/** Sends everything in one write; resolves with the close code. */
async function codeAfter(...parts: readonly Buffer[]): Promise<number> {
  const { client } = await open();
  client.connection.write(Buffer.concat(parts));
  const code = await client.closed();
  client.connection.destroy();
  return code;
}

/** The frames that the owner gets; the last one sent must be `{"end":1}`. */
async function framesOf(...parts: readonly Buffer[]): Promise<object[]> {
  const { client, owned } = await open();
  client.connection.write(Buffer.concat(parts));
  await waitFor('the last frame', () => owned.frames.some((one) => 'end' in one));
  client.connection.destroy();
  return owned.frames.slice(0, -1);
}

const end = maskedFrame('{"end":1}');
const continuation = { opcode: 0 };
const unfinished = { fin: false };

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
}

describe('a socket ends with its code after', () => {
  const { not_text: notText, not_json: notJson, too_deep: tooDeep } = closeCodes;
  const cases: readonly (readonly [what: string, code: number, parts: readonly Buffer[]])[] = [
    ['binary data', notText.code, [maskedFrame('{}', { opcode: 2 })]],
    ['text that is not JSON', notJson.code, [maskedFrame('hello')]],
    ['an empty text', notJson.code, [maskedFrame('')]],
    ['an array', notJson.code, [maskedFrame('[]')]],
    ['a number', notJson.code, [maskedFrame('1')]],
    ['null', notJson.code, [maskedFrame('null')]],
    ['a byte order mark', notJson.code, [maskedFrame('\u{feff}{}')]],
    ['deep objects', tooDeep.code, [maskedFrame(nested(17))]],
    ['the deepest arrays that fit', tooDeep.code, [maskedFrame(`{"a":${'['.repeat(32_000)}${']'.repeat(32_000)}}`)]],
    ['a frame without a mask', 1002, [maskedFrame('{}', { masked: false })]],
    ['a reserved bit', 1002, [maskedFrame('{}', { reserved: 4 })]],
    ['a reserved opcode', 1002, [maskedFrame('{}', { opcode: 3 })]],
    ['a reserved control opcode', 1002, [maskedFrame('', { opcode: 11 })]],
    ['a continuation of nothing', 1002, [maskedFrame('{}', continuation)]],
    ['a new message within another', 1002, [maskedFrame('{', unfinished), maskedFrame('{}')]],
    ['a fragmented ping', 1002, [maskedFrame('', { opcode: 9, ...unfinished })]],
    ['a ping of 126 bytes', 1002, [maskedFrame('x'.repeat(126), { opcode: 9 })]],
    ['a close frame of one byte', 1002, [maskedFrame('x', { opcode: 8 })]],
    ['a close frame with a code that is none', 1002, [maskedFrame(Buffer.from([0x03, 0xed]), { opcode: 8 })]],
    ['invalid UTF-8', 1007, [maskedFrame(Buffer.from('7b2261223a22c3287d', 'hex'))]],
    ['UTF-8 of a surrogate', 1007, [maskedFrame(Buffer.from('7b2261223a22eda080227d', 'hex'))]],
    ['a close reason of invalid UTF-8', 1007, [maskedFrame(Buffer.from([0x03, 0xe8, 0xff]), { opcode: 8 })]],
    ['more than 64 KiB', 1009, [maskedFrame(`{"a":"${'x'.repeat(65_536)}"}`)]],
    [
      'more than 64 KiB in fragments',
      1009,
      [maskedFrame(`{"a":"${'x'.repeat(60_000)}`, unfinished), maskedFrame('x'.repeat(6_000), continuation)],
    ],
    ['a length of 2^62 bytes', 1009, [Buffer.from('81ff4000000000000000', 'hex')]],
    [
      'too many fragments',
      1008,
      [
        maskedFrame('{', unfinished),
        ...Array.from({ length: 1_100 }, () => maskedFrame(' ', { ...continuation, ...unfinished })),
      ],
    ],
  ];
  for (const [what, code, parts] of cases)
    test(what, async () => {
      assert.equal(await codeAfter(...parts), code);
    });

  test('a million empty fragments', async () => {
    const fragments = Buffer.concat(
      Array.from({ length: 1_000_000 }, () => maskedFrame('', { ...continuation, ...unfinished })),
    );
    assert.equal(await codeAfter(maskedFrame('', unfinished), fragments), 1008);
  });

  test('a million one-byte fragments, one write each', async () => {
    const { client } = await open();
    const fragment = maskedFrame(' ', { ...continuation, ...unfinished });
    client.connection.write(maskedFrame('{', unfinished));
    for (let n = 0; n < 1_000_000 && !client.connection.destroyed; n += 1)
      if (!client.connection.write(fragment)) await nextTurn();
    assert.equal(await client.closed(), 1008);
  });
});

describe('a socket accepts', () => {
  test('fragments, with pings between them', async () => {
    const frames = await framesOf(
      maskedFrame('{"a"', unfinished),
      maskedFrame('p', { opcode: 9 }),
      maskedFrame('', { ...continuation, ...unfinished }),
      maskedFrame(':1}', continuation),
      end,
    );
    assert.deepEqual(frames, [{ a: 1 }]);
  });

  test('16 levels of JSON, and an object of exactly 64 KiB', async () => {
    const large = `{"a":"${'x'.repeat(65_536 - 8)}"}`;
    const frames = await framesOf(maskedFrame(nested(16)), maskedFrame(large), end);
    assert.deepEqual(frames, [JSON.parse(nested(16)), JSON.parse(large)]);
  });

  test('characters that are split between fragments', async () => {
    const bytes = Buffer.from('{"a":"é😀"}');
    const parts = [...bytes].map((byte, n) =>
      maskedFrame(Buffer.from([byte]), { opcode: n === 0 ? 1 : 0, fin: n === bytes.length - 1 }),
    );
    assert.deepEqual(await framesOf(...parts, end), [{ a: 'é😀' }]);
  });

  test('pings, which it answers with their content', async () => {
    const { client } = await open();
    client.connection.write(maskedFrame('abc', { opcode: 9 }));
    await waitFor('the pong', () => client.frames.length === 1);
    const [pong] = client.frames;
    assert.deepEqual([pong?.opcode, pong?.payload.toString()], [10, 'abc']);
    client.connection.destroy();
  });

  test('the close frame, which it answers with the same code', async () => {
    assert.equal(await codeAfter(maskedFrame(Buffer.from([0x03, 0xe9]), { opcode: 8 })), 1001);
    assert.equal(await codeAfter(maskedFrame('', { opcode: 8 })), 1005);
  });
});

/** Objects in text frames, in fragments and pieces of any size. */
test('valid frames arrive whole and in order, however they are fragmented and cut', async () => {
  const object = fc.dictionary(fc.string(), fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean()));
  const cuts = fc.array(fc.nat(100), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(object, { maxLength: 10 }), cuts, cuts, async (objects, fragments, pieces) => {
      const { client, owned } = await open();
      const bytes = Buffer.concat([...objects.map((one) => fragmented(JSON.stringify(one), fragments)), end]);
      for (const piece of cut(bytes, pieces)) client.connection.write(piece);
      await waitFor('the last frame', () => owned.frames.length > objects.length);
      assert.deepEqual(
        owned.frames.slice(0, -1).map((one) => JSON.stringify(one)),
        objects.map((one) => JSON.stringify(one)),
      );
      client.connection.destroy();
    }),
    { numRuns: 60 },
  );
});

test('random bytes and mutated frames end only their own socket, without an exception', async () => {
  const witness = await server.connect();
  const garbage = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const mutated = fc.tuple(fc.string(), fc.nat(), fc.nat(255)).map(([text, place, value]) => {
    const frame = maskedFrame(JSON.stringify({ text }));
    frame[place % frame.length] = value;
    return frame;
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(garbage, mutated), { minLength: 1, maxLength: 5 }), async (parts) => {
      const { client } = await open();
      client.connection.end(Buffer.concat(parts));
      await waitFor('the end', () => client.connection.destroyed);
    }),
    { numRuns: 150 },
  );
  assert.equal(witness.wire.readyState, witness.wire.OPEN);
  assert.deepEqual(server.defects, []);
});

/** The text as one message in several frames. */
function fragmented(text: string, sizes: readonly number[]): Buffer {
  const parts = cut(Buffer.from(text), sizes);
  return Buffer.concat(
    parts.map((part, n) => maskedFrame(part, { opcode: n === 0 ? 1 : 0, fin: n === parts.length - 1 })),
  );
}

/** In pieces of these sizes, and the rest. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...pieces, bytes.subarray(at)];
}
