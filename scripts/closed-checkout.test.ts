import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { explainClosedCheckout } from './closed-checkout.ts';

test('a checkout that only its owner can read is reported with the command that opens it', (t) => {
  const above = realpathSync(mkdtempSync(join(tmpdir(), 'messenger-closed-')));
  t.after(() => rmSync(above, { recursive: true }));
  const checkout = join(above, 'checkout');
  mkdirSync(checkout, { mode: 0o755 });
  writeFileSync(join(checkout, 'package.json'), '{}', { mode: 0o644 });
  assert.match(explainClosedCheckout(checkout) ?? '', new RegExp(`\`chmod o\\+x ${above}\``, 'u'));
  chmodSync(join(checkout, 'package.json'), 0o600);
  const both = new RegExp(`\`chmod o\\+x ${above} && chmod -R o\\+rX ${checkout}\``, 'u');
  assert.match(explainClosedCheckout(checkout) ?? '', both);
  chmodSync(above, 0o711);
  chmodSync(join(checkout, 'package.json'), 0o644);
  assert.equal(explainClosedCheckout(checkout), undefined);
});
