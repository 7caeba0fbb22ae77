// A real Chromium: the one on the machine (CHROMIUM_PATH, /usr/bin/chromium), else the one inside an npm package.
// Its own flags, not the package's: those switch web security off.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import packaged from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export async function launch(t: Test): Promise<Browser> {
  const own = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((path) => path && existsSync(path));
  const browser = await chromium.launch({
    executablePath: own ?? (await packaged.executablePath()),
    args: FLAGS,
  });
  t.teardown(() => browser.close());
  return browser;
}

/** A tab whose console errors, dialogs and requests to any other origin than these fail the test. */
export async function openTab(
  t: Test,
  browser: Browser,
  origins: string | readonly string[],
  options: BrowserContextOptions = {},
): Promise<Page> {
  // Colours in the middle of a transition are nobody's to judge.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(8000);
  const page = await context.newPage();
  page.on('console', (message) => {
    // A refused password is a 4xx of the page itself, which Chromium reports as an error of loading it.
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) {
      t.fail(`console: ${message.text()} on ${page.url()}`);
    }
  });
  page.on('dialog', (dialog) => {
    t.fail(`dialog on ${page.url()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (![origins].flat().includes(url.origin) && url.protocol !== 'data:')
      t.fail(`request to ${url.origin} from ${page.url()}`);
  });
  return page;
}

/** axe finds nothing, nothing is wider than the window. */
async function accessible(t: Test, page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
  );
  t.same(found, [], `axe: ${name}`);
  const over = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
  t.ok((over as number) <= 0, `no sideways scrolling: ${name}`);
}

const pictures = process.env.PICTURES;
if (pictures) mkdirSync(pictures, { recursive: true });

let number = 0;
/** The page is accessible and fits at 320 px, in light and in dark; pictures at three widths when asked for. */
export async function look(t: Test, page: Page, name: string): Promise<void> {
  const size = page.viewportSize();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 320, height: 640 });
    await accessible(t, page, `${name}, ${colorScheme}`);
    if (!pictures) continue;
    for (const width of [320, 768, 1280]) {
      await page.setViewportSize({ width, height: width === 320 ? 640 : 800 });
      const file = `${String(number).padStart(2, '0')}-${name.replace(/\W+/g, '-')}-${width}-${colorScheme}.png`;
      await page.screenshot({ path: join(pictures, file), fullPage: true });
    }
  }
  number++;
  await page.emulateMedia({ colorScheme: 'light' });
  if (size) await page.setViewportSize(size);
}
