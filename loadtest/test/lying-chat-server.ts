import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';

import { subprotocol } from '@messenger/protocol/close-codes';
import { clientFrames, type ClientFrame, type ServerFrame } from '@messenger/protocol/frames';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { WebSocketServer, type WebSocket } from 'ws';

import { frames, Room } from './chat-room.ts';

const clientFrame = Compile(Type.Union(Object.values(clientFrames)));
const isClientFrame = (value: unknown): value is ClientFrame => clientFrame.Check(value);
const Group = Compile(Type.Object({ members: Type.Array(Type.String()) }));

interface Telling {
  /** Who gets the frame: people by the order of their accounts, from 0; and how many sockets they had before. */
  readonly person: number;
  readonly socket: number;
  readonly end: (code: number) => void;
}

/** Returns the frames that are sent in place of the right one. */
export type ChatLie = (frame: ServerFrame, telling: Telling) => readonly unknown[];

interface Device extends Telling {
  readonly userId: string;
  readonly opened: Set<string>;
  readonly ws: WebSocket;
}

/** Conversations and sockets in memory, correct except for one lie about frames, and one about pages of messages. */
export class LyingChatServer {
  readonly #users: string[] = [];
  readonly #rooms = new Map<string, Room>();
  readonly #devices = new Set<Device>();
  readonly #sockets = new Map<string, number>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #ws = new WebSocketServer({ server: this.#server, handleProtocols: () => subprotocol });
  readonly #lie: ChatLie;
  readonly #lieAboutPage: (page: readonly unknown[]) => readonly unknown[];

  constructor(lie: ChatLie, lieAboutPage: (page: readonly unknown[]) => readonly unknown[] = (page) => page) {
    this.#lie = lie;
    this.#lieAboutPage = lieAboutPage;
    this.#ws.on('connection', (ws) => this.#connect(ws));
  }

  /** Creates accounts. The content of a people file. */
  people(count: number, server: string): string {
    const people = Array.from({ length: count }, () => {
      const userId = randomUUID();
      this.#users.push(userId);
      return { userId, token: userId };
    });
    return JSON.stringify({ server, people, conversations: [] });
  }

  /** Resolves with the base URL. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    assert(typeof address === 'object' && address !== null);
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    for (const ws of this.#ws.clients) ws.terminate();
    this.#ws.close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === 'POST' ? await json(request) : undefined;
    const answer = this.#rest(new URL(request.url ?? '/', 'http://here'), userOf(request), body);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { code: 'not_found' }));
  }

  #rest({ pathname, searchParams }: URL, userId: string, body: unknown): unknown {
    const [, , , what, id = '', of] = pathname.split('/');
    if (what === 'me') return this.#users.includes(userId) ? {} : undefined;
    if (what === 'conversations' && of === 'messages') {
      const after = Number(searchParams.get('after'));
      return this.#lieAboutPage(
        this.#rooms
          .get(id)
          ?.messages.filter(({ number }) => number > after)
          .slice(0, 1) ?? [],
      );
    }
    if (what !== 'conversations') return undefined;
    const others = id === 'direct' ? [of ?? ''] : Group.Check(body) ? body.members : [];
    const room = new Room([userId, ...others]);
    this.#rooms.set(room.id, room);
    return { id: room.id };
  }

  #connect(ws: WebSocket): void {
    let device: Device | undefined;
    ws.on('message', (data: Buffer) => {
      const frame: unknown = JSON.parse(data.toString());
      if (!isClientFrame(frame)) ws.close(4503);
      else if (frame.op === 'hello') device = this.#greet(ws, frame.token ?? '');
      else if (device !== undefined) this.#hear(device, frame);
    });
    ws.on('close', () => device && this.#devices.delete(device));
  }

  #greet(ws: WebSocket, userId: string): Device {
    const person = this.#users.indexOf(userId);
    const socket = this.#sockets.get(userId) ?? 0;
    this.#sockets.set(userId, socket + 1);
    const device = { userId, person, socket, opened: new Set<string>(), ws, end: (code: number) => ws.close(code) };
    this.#devices.add(device);
    const heads = this.#roomsOf(userId).map((room) => room.conversation(userId));
    const user = { id: userId, first_name: 'Load', last_name: 'Test', created_at: moment, updated_at: moment };
    const list = { heads, left: [], complete: true, whole: true };
    this.#tell(device, { op: 'welcome', user, position: 'p', ping_ms: 25_000, ...list });
    return device;
  }

  #roomsOf(userId: string): Room[] {
    return [...this.#rooms.values()].filter(({ members }) => members.includes(userId));
  }

  #hear(device: Device, frame: Exclude<ClientFrame, { readonly op: 'hello' }>): void {
    if (frame.op === 'ping') this.#tell(device, { op: 'pong' });
    if (!('conversation_id' in frame)) return;
    const room = this.#rooms.get(frame.conversation_id);
    if (room === undefined) return;
    if (frame.op === 'open') this.#open(device, room, frame.after, frame.ref);
    if (frame.op === 'close') device.opened.delete(room.id);
    if (frame.op === 'read') {
      room.read(device.userId, Math.min(frame.number, room.lastNumber));
      this.#tell(device, { op: 'done', ref: frame.ref });
      this.#tellOwn(device.userId, room);
    }
    if (frame.op === 'send') this.#send(device, room, frame);
  }

  #open(device: Device, room: Room, after: number, ref: string): void {
    device.opened.add(room.id);
    this.#tell(device, { op: 'done', ref });
    for (let from = after, complete = false; !complete;) {
      const frame = frames.changes(room, from);
      this.#tell(device, frame);
      from = frame.to;
      complete = frame.complete;
    }
  }

  #send(sender: Device, room: Room, { ref, id, body }: Extract<ClientFrame, { readonly op: 'send' }>): void {
    const before = room.seq;
    const { number, seq } = room.send(sender.userId, id, body);
    this.#tell(sender, { op: 'done', ref, position: 'p', number, seq, created_at: moment });
    if (room.seq === before) return;
    for (const device of this.#devices)
      if (room.members.includes(device.userId))
        this.#tell(device, device.opened.has(room.id) ? frames.changes(room, before) : frames.head(room));
    this.#tellOwn(sender.userId, room);
  }

  #tellOwn(userId: string, room: Room): void {
    for (const device of this.#devices) if (device.userId === userId) this.#tell(device, frames.me(room, userId));
  }

  #tell(device: Device, frame: ServerFrame): void {
    for (const told of this.#lie(frame, device)) device.ws.send(JSON.stringify(told));
  }
}

const moment = '2026-01-01T00:00:00.000000Z';

/** The token of a session is the id of its user. */
function userOf({ headers }: IncomingMessage): string {
  return (headers.authorization ?? '').replace('Bearer ', '');
}
