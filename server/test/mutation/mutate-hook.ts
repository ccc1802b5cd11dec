import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Loaded with --import: gives one module another source. `MUTATED_SOURCE` is its URL and a file with the source. */
const [url = '', file = ''] = (process.env['MUTATED_SOURCE'] ?? '').split(' ');
registerHooks({
  load: (wanted, context, next) =>
    wanted === url
      ? { format: 'module-typescript', source: readFileSync(file, 'utf8'), shortCircuit: true }
      : next(wanted, context),
});
