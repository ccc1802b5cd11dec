import { createInterface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';

import { OperatorError } from '../lib/operator-error.ts';

/**
 * Asks a question on a terminal and resolves with the line that is typed, which is not shown. Rejects with `OperatorError` on Ctrl-C and
 * Ctrl-D.
 */
export async function askSecret(question: string, input: Readable, output: Writable): Promise<string> {
  const hidden = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: hidden, terminal: true, historySize: 0 });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.once('line', resolve);
  for (const event of ['SIGINT', 'close'] as const) lines.once(event, () => reject(new OperatorError('Cancelled.')));
  output.write(question);
  try {
    return await promise;
  } finally {
    lines.close();
    output.write('\n');
  }
}
