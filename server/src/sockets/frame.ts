/** Of RFC 6455, 5.2: the first byte of an unfragmented text frame. */
const finalText = 0x81;

/** A text frame, serialised and framed once, and written to many sockets. */
export class Frame {
  /** Header and payload; never changed. */
  readonly bytes: Buffer;

  constructor(value: object) {
    const text = JSON.stringify(value);
    const length = Buffer.byteLength(text);
    const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    this.bytes = Buffer.allocUnsafe(header + length);
    this.bytes[0] = finalText;
    if (header === 2) this.bytes[1] = length;
    else if (header === 4) {
      this.bytes[1] = 126;
      this.bytes.writeUInt16BE(length, 2);
    } else {
      this.bytes[1] = 127;
      this.bytes.writeUIntBE(length, 4, 6);
      this.bytes.writeUInt16BE(0, 2);
    }
    this.bytes.write(text, header);
  }
}
