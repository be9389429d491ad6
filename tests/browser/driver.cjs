// Drives one Chromium for all tests, a tab in a profile of its own for each: a line of standard input
// is a command as JSON with the number of its tab, and is answered with a line, {"tab": …, "value": …}
// or {"tab": …, "error": "…"}. The commands of a tab follow each other; tabs wait for no other. It
// ends with its standard input. Knows nothing of Pakyas. NODE_PATH says where playwright-core and
// axe-core are.
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

// How often a page that is waited for is looked at, and how often its clock is put forward by how
// much: what it does every half a minute takes no half a minute. Milliseconds.
const LOOK = 100;
const FORWARD_EVERY = 1_000;
const FORWARD = 15_000;

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

let browser;

class Tab {
  // What no page may do: errors in the console, and requests to anywhere else.
  problems = [];

  // A profile of its own: no cookie and no cache of another tab's.
  async start({ origin, javascript, width, height }) {
    this.origin = origin;
    this.context = await browser.newContext({
      baseURL: origin, javaScriptEnabled: javascript, viewport: { width, height },
      permissions: ['clipboard-read', 'clipboard-write'], timezoneId: 'Asia/Manila',
    });
    this.context.setDefaultTimeout(PATIENCE);
    this.hasClock = javascript;
    if (this.hasClock) await this.context.clock.install();
    this.page = await this.context.newPage();
    this.watch();
  }

  watch() {
    const { page, problems } = this;
    page.on('console', (message) => {
      // That a page itself is answered with an error is up to the test; see below for the others.
      const isAnswer = message.text().startsWith('Failed to load resource');
      if (['error', 'warning'].includes(message.type()) && !isAnswer) {
        problems.push(`${page.url()}: the console says: ${message.text()}`);
      }
    });
    page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
    this.context.on('response', (response) => {
      if (response.status() >= 400 && response.request().resourceType() !== 'document') {
        problems.push(`${page.url()}: ${response.status()} for ${response.url()}`);
      }
    });
    this.context.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.origin}/`) && !url.startsWith('data:')) {
        problems.push(`${page.url()}: a request to ${url}`);
      }
    });
  }

  async close() { await this.context?.close(); }

  async open({ path }) {
    const answer = await this.page.goto(path);
    return answer ? answer.status() : 0;
  }
  async resize({ width, height }) { await this.page.setViewportSize({ width, height }); }
  async scheme({ dark }) { await this.page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' }); }
  async fill({ label, value }) { await this.page.getByLabel(label, { exact: true }).first().fill(value); }
  async tick({ label, on }) { await this.page.getByLabel(label, { exact: true }).first().setChecked(on); }
  async press({ button }) { await this.page.getByRole('button', { name: button, exact: true }).first().click(); }
  async unfold({ summary }) { await this.page.locator('summary', { hasText: summary }).first().click(); }
  async offline({ off }) { await this.context.setOffline(off); }
  async answer({ text }) {
    await this.context.unrouteAll();
    if (text) await this.context.route('**', (route) => route.fulfill({ contentType: 'text/html', body: text }));
  }
  async focus({ selector }) { await this.page.locator(selector).first().focus(); }
  async follow({ link }) { await this.page.getByRole('link', { name: link, exact: true }).first().click(); }
  async type({ keys }) { for (const key of keys) await this.page.keyboard.press(key); }
  async back() { await this.page.goBack(); }
  async url() { return this.page.url(); }
  // A page that is just going away has no text.
  async text() { return this.page.evaluate(() => document.body?.innerText ?? '').catch(() => ''); }
  // Asks the page as it is, again and again: nothing here makes it load.
  async wait({ wanted, gone, seconds }) {
    const until = Date.now() + seconds * 1000;
    let forward = Date.now() + FORWARD_EVERY;
    for (;;) {
      const now = await this.text();
      if (now.includes(wanted) !== gone) return true;
      if (Date.now() > until) throw new Error(`'${wanted}' is ${gone ? 'still' : 'not'} in: ${now}`);
      if (this.hasClock && Date.now() > forward) {
        await this.context.clock.fastForward(FORWARD);
        forward = Date.now() + FORWARD_EVERY;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  }
  async evaluate({ expression }) { return this.page.evaluate(expression); }
  async forget() { await this.context.clearCookies(); }
  async cookies() { return this.context.cookies(); }
  // What axe finds serious or critical, one line for each place.
  async audit() { return this.axe({}); }
  async auditContrast() { return this.axe({ runOnly: ['color-contrast'] }); }
  async axe(options) {
    await this.page.evaluate(AXE);
    const asked = JSON.stringify({ resultTypes: ['violations'], ...options });
    const { violations } = await this.page.evaluate(`axe.run(document, ${asked})`);
    return violations
      .filter((found) => ['serious', 'critical'].includes(found.impact))
      .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.html} (${node.failureSummary})`));
  }
  async takeProblems() { return this.problems.splice(0); }
  async screenshot({ path, whole }) { await this.page.screenshot({ path, fullPage: whole }); }
}

// Strictly one after the other for each tab, so that an answer is to what was asked last.
const tabs = new Map();

async function carryOut(line) {
  const { tab: number, command, ...details } = JSON.parse(line);
  let answer;
  try {
    const tab = tabs.get(number).tab;
    answer = { value: (await tab[command](details)) ?? null };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify({ tab: number, ...answer })}\n`);
}

async function main() {
  browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });
  for await (const line of createInterface({ input: process.stdin })) {
    const { tab: number, command } = JSON.parse(line);
    if (!tabs.has(number)) tabs.set(number, { tab: new Tab(), done: Promise.resolve() });
    const entry = tabs.get(number);
    entry.done = entry.done.then(() => carryOut(line));
    if (command === 'close') entry.done.then(() => tabs.delete(number));
  }
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
