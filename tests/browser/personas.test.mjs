// The main path of each persona, and of the two who come without a mouse or without JavaScript.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileRequest, launch, openPage, pageOf, people, screenshot, signIn, tabTo } from "./browser.mjs";
import { startService } from "./service.mjs";

// What the page after a press says when access is there.
const GRANTED = /\bgranted\b|\byou have it\b/i;

let service;
let browser;
before(async () => {
  service = await startService();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** The part of a page that speaks of one group: the row, card or item that its title stands in. */
function entry(page, title) {
  return page.getByRole("main").locator("li, tr, article").filter({ hasText: title });
}

/** A button that stands beside the title of a group. */
function button(page, title, name) {
  const beside = entry(page, title).filter({ has: page.getByRole("button", { name }) });
  return beside.first().getByRole("button", { name }).first();
}

/** Waits until the main part of the page says something, as it is drawn: blocks are apart, what is hidden is not there. */
async function says(page, text) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const drawn = await page.getByRole("main").innerText();
    if (typeof text === "string" ? drawn.includes(text) : text.test(drawn)) return;
    assert.ok(Date.now() < deadline, `${page.url()} does not say ${text} but:\n${drawn}`);
    await page.waitForTimeout(100);
  }
}

/** The search of the first page. */
async function searchbox(page) {
  const own = page.getByRole("main").getByRole("searchbox");
  return (await own.count()) > 0 ? own.first() : page.getByRole("searchbox").first();
}

/** Does something that sends a form, and waits until the service has answered it and the page that follows is there. */
async function send(page, action) {
  const loaded = page.waitForEvent("load").catch(() => undefined);
  const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), action()]);
  assert.ok(answer.status() < 400, `${answer.status()} for ${answer.url()}`);
  if (answer.request().isNavigationRequest()) assert.ok(await loaded, `nothing followed ${answer.url()}`);
}

/** Holds somebody a group? What is held can be renewed; what was only asked for cannot. */
async function holds(page, title) {
  await page.goto("/access");
  await button(page, title, /^renew\b/i).waitFor();
}

async function done(page) {
  assert.deepEqual(page.troubles, []);
  await page.context().close();
}

describe("an employee", () => {
  test("has access in two interactions from the first page: type a name, press Request", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist");
    await page.goto("/");
    await (await searchbox(page)).pressSequentially("warehouse analysts", { delay: 5 });
    const request = button(page, "Warehouse analysts", /request/i);
    await request.waitFor();
    const told = entry(page, "Warehouse analysts").filter({ hasText: /instant for you/i });
    assert.ok((await told.count()) > 0, "the outcome is told before pressing");
    await request.click();
    await says(page, GRANTED);
    await screenshot(page, "path-employee-granted");
    await holds(page, "Warehouse analysts");
    await done(page);
  });

  test("has access in two interactions without JavaScript", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist", { javaScriptEnabled: false });
    await page.goto("/");
    const search = await searchbox(page);
    await search.fill("dashboard editors");
    await search.press("Enter");
    await button(page, "Dashboard editors", /request/i).click();
    await says(page, GRANTED);
    await holds(page, "Dashboard editors");
    await done(page);
  });

  test("has access with one press from a link, without JavaScript", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist", { javaScriptEnabled: false });
    await page.goto("/request/dashboards-viewers");
    await page.getByRole("main").getByRole("button", { name: /^request\b/i }).first().click();
    await says(page, GRANTED);
    await holds(page, "Dashboards");
    await done(page);
  });

  test("does it by keyboard alone", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist");
    await page.goto("/access");
    await page.keyboard.press("/");
    await page.locator("input[type=search]:focus").waitFor();
    await page.keyboard.type("experiment console");
    await page.keyboard.press("Enter");
    const request = button(page, "Experiment console", /request/i);
    await request.waitFor();
    await tabTo(page, request);
    await page.keyboard.press("Enter");
    await says(page, GRANTED);
    await holds(page, "Experiment console");
    await done(page);
  });

  test("is told why not, and what would change it", async () => {
    const page = await pageOf(browser, service, "jonas.haddad");
    await page.goto("/groups/crane-control");
    await says(page, /contractors may not hold restricted access/i);
    await says(page, /ask an owner of the group to do it with you/i);
    await done(page);
  });

  test("gives back what is not needed any more", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist");
    await page.goto("/request/tracking-sandbox");
    await page.getByRole("main").getByRole("button", { name: /^request\b/i }).first().click();
    await says(page, GRANTED);
    await holds(page, "Tracking sandbox");
    const row = entry(page, "Tracking sandbox").filter({ hasText: /give back/i }).first();
    await row.getByText("Give back", { exact: true }).click();
    await send(page, () => row.getByRole("button", { name: /^yes, give it back/i }).click());
    await page.goto("/access");
    await page.getByRole("main").waitFor();
    assert.equal(await button(page, "Tracking sandbox", /^renew\b/i).count(), 0, "it is not held any more");
    await done(page);
  });
});

test("an approver answers by keyboard alone, and the requester has it", async () => {
  const reason = "Backfill of the punctuality mart after the timetable change";
  const asking = await pageOf(browser, service, "nora.lindqvist");
  const path = await fileRequest(asking, "warehouse-engineers", reason);
  await says(asking, /waiting|asked/i);

  const approving = await pageOf(browser, service, "ada.berg");
  await approving.goto("/approvals");
  await says(approving, reason);
  await screenshot(approving, "path-approver-queue");
  await tabTo(approving, approving.getByRole("main").getByRole("button", { name: /^approve\b/i }));
  await send(approving, () => approving.keyboard.press("Enter"));
  await approving.goto("/approvals");
  await approving.getByRole("main").waitFor();
  assert.equal(await approving.getByRole("main").getByText(reason).count(), 0, "it is off the queue");

  await asking.goto(path);
  await says(asking, GRANTED);
  await holds(asking, "Warehouse engineers");
  await done(approving);
  await done(asking);
});

test("nobody finds their own request in their queue", async () => {
  const page = await pageOf(browser, service, "ada.berg");
  const reason = "Two owners other than me should look at this";
  const path = await fileRequest(page, "warehouse-owners", reason);
  await page.goto("/approvals");
  await page.getByRole("main").waitFor();
  assert.equal(await page.getByRole("main").getByText(reason).count(), 0);
  await page.goto(path);
  assert.equal(await page.getByRole("button", { name: /^approve\b/i }).count(), 0);
  await done(page);
});

test("a security analyst finds who decided what about whom", async () => {
  const asking = await pageOf(browser, service, "jonas.haddad");
  await asking.goto("/request/tracking-sandbox");
  await asking.getByRole("main").getByRole("button", { name: /^request\b/i }).first().click();
  await says(asking, GRANTED);
  await done(asking);

  const page = await pageOf(browser, service, "rashid.karimi");
  await page.goto("/audit");
  const person = page.getByRole("main").getByLabel(/^person\b/i).first();
  await person.fill("jonas.haddad");
  await person.press("Enter");
  await page.waitForURL(/person=jonas\.haddad/);
  await says(page, "Tracking sandbox");
  const text = await page.getByRole("main").innerText();
  assert.match(text, /Jonas Haddad/);
  assert.doesNotMatch(text, /Warehouse engineers/, "events of other people are filtered out");
  await screenshot(page, "path-analyst-filtered");
  await done(page);
});

test("an employee does not see the audit log", async () => {
  const page = await pageOf(browser, service, "nora.lindqvist");
  const answer = await page.goto("/audit");
  assert.ok([403, 404].includes(answer.status()), `/audit answers ${answer.status()}`);
  await done(page);
});

test("an admin sees the policy in force, an error in a file, and its mending, without a restart", async () => {
  const page = await pageOf(browser, service, "tuva.nilsen");
  await page.goto("/policy");
  const main = page.getByRole("main");
  assert.match(await main.innerText(), /\b[0-9a-f]{8}/, "the revision is shown");

  const file = join(service.policies, "groups/workplace/vpn.toml");
  const sound = await readFile(file, "utf8");
  await writeFile(file, sound.replace('owner       = "team:it"', 'owner       = "team:itt"'));
  await eventually(page, /there is no team `?itt/i, true);
  await says(page, /vpn\.toml/);
  await screenshot(page, "path-admin-policy-problem");
  const group = await page.goto("/groups/vpn");
  assert.equal(group.status(), 200, "the last good set stays in force");

  await writeFile(file, sound);
  await eventually(page, /there is no team `?itt/i, false);
  await done(page);
});

/** Looks at /policy again and again until a text is, or is no longer, on it. */
async function eventually(page, text, present) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    await page.goto("/policy");
    const shown = text.test(await page.getByRole("main").innerText());
    if (shown === present) return;
    assert.ok(Date.now() < deadline, `/policy ${present ? "does not show" : "still shows"} ${text} after 15 s`);
    await page.waitForTimeout(250);
  }
}

describe("the development sign-in", () => {
  test("leads to the page that was asked for, and every page says that it is on", async () => {
    const page = await openPage(browser, service);
    await page.goto("/access");
    await page.waitForURL(/\/signin/);
    await page.getByRole("button", { name: people["mina.solberg"] }).first().click();
    await page.waitForURL(/\/access$/);
    await page.getByText(/development sign-in/i).first().waitFor();
    await done(page);
  });

  test("refuses a request that came through a proxy", async () => {
    for (const header of ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]) {
      const answer = await fetch(`${service.url}/signin`, { headers: { [header]: header === "Forwarded" ? "for=192.0.2.1" : "192.0.2.1" } });
      assert.equal(answer.status, 403, `with ${header}`);
    }
  });

  test("lets go of a person", async () => {
    const page = await pageOf(browser, service, "mina.solberg");
    await page.goto("/");
    await page.getByRole("banner").getByText(people["mina.solberg"]).click();
    await send(page, () => page.getByRole("button", { name: /sign out|somebody else/i }).first().click());
    await page.goto("/access");
    await page.waitForURL(/\/signin/);
    await signIn(page, "nora.lindqvist");
    await done(page);
  });
});
