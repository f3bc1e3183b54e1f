// A headless Chromium, signed-in people, and what is looked at on a page.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const screenshots = process.env.SCREENSHOTS;
if (screenshots) mkdirSync(screenshots, { recursive: true });

/** Names of the sample people that tests act as, by id. */
export const people = {
  "nora.lindqvist": "Nora Lindqvist",
  "mina.solberg": "Mina Solberg",
  "ada.berg": "Ada Berg",
  "rashid.karimi": "Rashid Karimi",
  "tuva.nilsen": "Tuva Nilsen",
  "jonas.haddad": "Jonas Haddad",
};

/** Launches the browser of the system: `$CHROMIUM`, or Debian's. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/** A page of its own context, with whatever goes wrong on it gathered in `page.troubles`; `elsewhere` is an address that it may leave for. */
export async function openPage(browser, service, { elsewhere, ...options } = {}) {
  const context = await browser.newContext({ baseURL: service.url, viewport: { width: 1280, height: 900 }, ...options });
  const isElsewhere = () => elsewhere !== undefined && page.url().startsWith(elsewhere);
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    if (isElsewhere()) return;
    if (message.type() !== "error" && !/content security policy/i.test(message.text())) return;
    // The browser reports the status of the page itself as an error; whether that is right is for the test to say.
    if (message.location().url === page.url() && /responded with a status of/.test(message.text())) return;
    page.troubles.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (isElsewhere() || (elsewhere !== undefined && request.url().startsWith(elsewhere))) return;
    if (!request.url().startsWith(service.url) && !request.url().startsWith("data:")) {
      page.troubles.push(`a request to another host: ${request.url()}`);
    }
  });
  page.on("response", (response) => {
    if (isElsewhere()) return;
    if (response.status() >= 400 && !response.request().isNavigationRequest()) {
      page.troubles.push(`${response.status()} for ${response.url()}`);
    }
  });
  return page;
}

/** Signs a person in as people do: the button with their name on `/signin`. */
export async function signIn(page, person) {
  const answer = await page.goto("/signin");
  assert.equal(answer.status(), 200, "/signin answers");
  await page.getByRole("button", { name: people[person] }).first().click();
  await page.waitForURL((url) => url.pathname !== "/signin");
}

/** A new page with a person signed in. */
export async function pageOf(browser, service, person, options) {
  const page = await openPage(browser, service, options);
  await signIn(page, person);
  return page;
}

/** Files a request on the page of its group and answers the path of what it led to. */
export async function fileRequest(page, group, reason) {
  await page.goto(`/request/${group}`);
  await page.getByRole("main").getByLabel(/^(why|reason|justification)/i).first().fill(reason);
  await page.getByRole("main").getByRole("button", { name: /^(request|ask)\b/i }).first().click();
  await page.waitForURL(/\/requests\//);
  return new URL(page.url()).pathname;
}

/** Moves the focus with the Tab key until it is on the first match of a locator; answers how many presses it took. */
export async function tabTo(page, locator, most = 150) {
  const wanted = await locator.first().elementHandle();
  for (let presses = 1; presses <= most; presses += 1) {
    await page.keyboard.press("Tab");
    if (await wanted.evaluate((element) => element === document.activeElement)) {
      assert.ok(await wanted.isVisible(), "what has the focus is visible");
      return presses;
    }
  }
  assert.fail(`${locator} was not reached with ${most} presses of Tab`);
}

/** What axe-core finds with all of its rules, best practices included: a line for each element, empty when all is well. */
export async function axe(page) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${violation.help}\n    ${node.html}\n    ${node.failureSummary ?? ""}`),
  );
}

/** By how many pixels the page is wider than the window. */
export function overflow(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
}

/** Loads a path with an empty cache and counts the bytes that came over the wire, everything that the page needs included. */
export async function transfer(page, path) {
  const devtools = await page.context().newCDPSession(page);
  let bytes = 0;
  devtools.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await devtools.send("Network.enable");
  await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
  await page.goto(path, { waitUntil: "load" });
  await devtools.detach();
  return bytes;
}

/** Draws the whole page into `$SCREENSHOTS`, when that is set. */
export async function screenshot(page, name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}
