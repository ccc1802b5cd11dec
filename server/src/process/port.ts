import { createServer } from 'node:net';

import { errorCode, messageOf } from '../lib/error-code.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** Whether processes can listen on one port with sockets of their own. Elsewhere workers share one of the supervisor. */
export const systemHasReusePort = process.platform === 'linux' || process.platform === 'freebsd';

/**
 * Resolves with the port for the workers: `port`, or a free one for 0. Binds it once exclusively: with `SO_REUSEPORT`,
 * a second server on the same port would start without an error and take half of the connections. Rejects with
 * `OperatorError`, which names the flag of the port.
 */
export async function findPort(host: string, port: number, flag = '--port'): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen({ host, port, exclusive: true }, () => {
    const address = server.address();
    const found = typeof address === 'object' && address !== null ? address.port : port;
    server.close(() => resolve(found));
  });
  try {
    return await promise;
  } catch (error) {
    throw new OperatorError(explain(error, host, port, flag), { cause: error });
  }
}

function explain(error: unknown, host: string, port: number, flag: string): string {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is taken by another program; choose another one with ${flag}`;
    case 'EACCES':
      return (
        `Port ${port} needs rights that this user does not have; choose one above 1023 with ${flag}, or as root ` +
        `\`sysctl net.ipv4.ip_unprivileged_port_start=${port}\`, or put a reverse proxy in front`
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `This machine has no address ${host}; see ${flag.replace(/port$/u, 'host')}`;
    default:
      return `Cannot listen on ${host}, port ${port}: ${messageOf(error)}`;
  }
}
