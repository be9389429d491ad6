// Drives one Chromium for a test: each line of standard input is a command as JSON, and is
// answered with a line, {"value": …} or {"error": "…"}. It ends with its standard input.
// Knows nothing of Pakyas. NODE_PATH says where playwright-core and axe-core are.
'use strict';

const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const { chromium } = require('playwright-core');

// How long a button or a field may take to be there, milliseconds.
const PATIENCE = 30_000;

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--force-color-profile=srgb',
];

let browser, context, page;
// What no page may do: errors in the console, and requests to anywhere else.
let problems = [];

function watch(origin) {
  page.on('console', (message) => {
    // That a page itself is answered with an error is up to the test; see below for the others.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (['error', 'warning'].includes(message.type()) && !isAnswer) {
      problems.push(`${page.url()}: the console says: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
  context.on('response', (response) => {
    if (response.status() >= 400 && response.request().resourceType() !== 'document') {
      problems.push(`${page.url()}: ${response.status()} for ${response.url()}`);
    }
  });
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) {
      problems.push(`${page.url()}: a request to ${url}`);
    }
  });
}

// A page that is just going away has no text.
async function text() {
  return page.evaluate(() => document.body?.innerText ?? '').catch(() => '');
}

const commands = {
  async start({ program, origin, javascript, width, height }) {
    browser = await chromium.launch({ executablePath: program, args: FLAGS });
    context = await browser.newContext({
      baseURL: origin, javaScriptEnabled: javascript, viewport: { width, height },
      permissions: ['clipboard-read', 'clipboard-write'], timezoneId: 'Asia/Manila',
    });
    context.setDefaultTimeout(PATIENCE);
    page = await context.newPage();
    watch(origin);
  },
  async open({ path }) {
    const answer = await page.goto(path);
    return answer ? answer.status() : 0;
  },
  async resize({ width, height }) { await page.setViewportSize({ width, height }); },
  async scheme({ dark }) { await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' }); },
  async fill({ label, value }) { await page.getByLabel(label, { exact: true }).first().fill(value); },
  async tick({ label, on }) { await page.getByLabel(label, { exact: true }).first().setChecked(on); },
  async press({ button }) { await page.getByRole('button', { name: button, exact: true }).first().click(); },
  async unfold({ summary }) { await page.locator('summary', { hasText: summary }).first().click(); },
  async offline({ off }) { await context.setOffline(off); },
  async answer({ text }) {
    await context.unrouteAll();
    if (text) await context.route('**', (route) => route.fulfill({ contentType: 'text/html', body: text }));
  },
  async focus({ selector }) { await page.locator(selector).first().focus(); },
  async follow({ link }) { await page.getByRole('link', { name: link, exact: true }).first().click(); },
  async type({ keys }) { for (const key of keys) await page.keyboard.press(key); },
  async back() { await page.goBack(); },
  async url() { return page.url(); },
  text,
  // Asks the page as it is, again and again: nothing here makes it load.
  async wait({ wanted, gone, seconds }) {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const now = await text();
      if (now.includes(wanted) !== gone) return true;
      if (Date.now() > until) throw new Error(`'${wanted}' is ${gone ? 'still' : 'not'} in: ${now}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
  async evaluate({ expression }) { return page.evaluate(expression); },
  async forget() { await context.clearCookies(); },
  async cookies() { return context.cookies(); },
  // What axe finds serious or critical, one line for each place.
  async audit() {
    await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
    const { violations } = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
    return violations
      .filter((found) => ['serious', 'critical'].includes(found.impact))
      .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.html} (${node.failureSummary})`));
  },
  async problems() { return problems.splice(0); },
  async screenshot({ path, whole }) { await page.screenshot({ path, fullPage: whole }); },
};

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...details } = JSON.parse(line);
    let answer;
    try {
      answer = { value: (await commands[command](details)) ?? null };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser?.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
