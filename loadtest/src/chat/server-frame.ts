import { serverFrames, type ServerFrame } from '@messenger/protocol/frames';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';

const schema = Compile(Type.Union(Object.values(serverFrames)));

const isFrame = (value: unknown): value is ServerFrame => schema.Check(value);

/** Undefined when the text is not a frame of the contract. */
export function parseFrame(text: string): ServerFrame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
