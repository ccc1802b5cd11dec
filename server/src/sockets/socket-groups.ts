/** Open sockets by a key, such as their account. A key without sockets takes no memory. */
export class SocketGroups<Socket> {
  readonly #groups = new Map<string, Set<Socket>>();

  add(key: string, socket: Socket): ReadonlySet<Socket> {
    const group = this.#groups.get(key) ?? new Set();
    this.#groups.set(key, group.add(socket));
    return group;
  }

  remove(key: string, socket: Socket): void {
    const group = this.#groups.get(key);
    group?.delete(socket);
    if (group?.size === 0) this.#groups.delete(key);
  }

  sizeOf(key: string): number {
    return this.#groups.get(key)?.size ?? 0;
  }
}
