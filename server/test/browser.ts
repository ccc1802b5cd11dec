import { existsSync } from 'node:fs';
import { after, before } from 'node:test';

import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why there is no browser, for `skip`; false when there is one. */
export const noBrowser = !existsSync(executablePath) && 'no /usr/bin/chromium: scripts/install-chromium.sh installs it';

/** A browser for the tests of a file. `open` resolves with a page at the address. */
export function useBrowser(): {
  readonly open: (url: string, options?: BrowserContextOptions) => Promise<Page>;
  /** Errors of the pages so far, including blocked and failed loads. */
  readonly errors: readonly string[];
} {
  const errors: string[] = [];
  let browser: Browser | undefined;
  before(async () => {
    if (noBrowser === false) browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  after(async () => browser?.close());
  return {
    errors,
    open: async (url, options) => {
      if (browser === undefined) throw new Error('the browser is there only while tests run');
      const page = await (await browser.newContext(options)).newPage();
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      await page.goto(url);
      return page;
    },
  };
}
