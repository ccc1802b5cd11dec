import type { Socket } from 'node:net';

/** Frames of the feed's socket: four bytes of length, then JSON. */
const headerBytes = 4;
const maxFrameBytes = 64 * 1_048_576;

export function encodeFrame(content: unknown): Buffer {
  const json = JSON.stringify(content);
  const length = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame.writeUInt32BE(length, 0);
  frame.write(json, headerBytes);
  return frame;
}

/** Calls `onFrame` with the content of each frame. Destroys the socket when a frame is damaged. */
export function readFrames(socket: Socket, onFrame: (content: unknown) => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  let needed = headerBytes;
  socket.on('data', (data: Buffer) => {
    parts.push(data);
    size += data.length;
    if (size < needed) return;
    let bytes = parts.length === 1 ? data : Buffer.concat(parts);
    try {
      for (;;) {
        needed = frameBytes(bytes);
        if (bytes.length < needed) break;
        onFrame(JSON.parse(bytes.toString('utf8', headerBytes, needed)));
        bytes = bytes.subarray(needed);
      }
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    parts = bytes.length === 0 ? [] : [bytes];
    size = bytes.length;
  });
}

/** Of the first frame; of an incomplete header, that of the header. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < headerBytes) return headerBytes;
  const length = bytes.readUInt32BE(0);
  if (length > maxFrameBytes) throw new RangeError(`a frame of ${length} bytes`);
  return headerBytes + length;
}

/** Sends what is written in one turn of the event loop together. */
export function writeSoon(socket: Socket, frame: Buffer): void {
  if (socket.writableCorked === 0) {
    socket.cork();
    setImmediate(() => socket.uncork());
  }
  socket.write(frame);
}
