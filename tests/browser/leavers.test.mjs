// A directory that would have many people leave: what an admin sees on the home page, on /system and on the page that names them,
// what others see, and the confirmation; one that comes too late is a conflict. No axe violation, no sideways scrolling.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { axe, launch, overflow, pageOf, screenshot } from "./browser.mjs";
import { startService } from "./service.mjs";

const ADMIN = "tuva.nilsen";
const NAMES = { "nora.lindqvist": "Nora Lindqvist", "emeka.eze": "Emeka Eze", "silje.haugen": "Silje Haugen", "annika.moller": "Annika Møller", "jonas.haddad": "Jonas Haddad", "friederike.hinrichs": "Friederike Hinrichs", "iryna.melnyk": "Iryna Melnyk" };
const LEAVERS = Object.keys(NAMES);
// The few that leave at once, whatever the bound says.
const OUT = 3;

let service;
let browser;
let token;

async function scim(method, path, body) {
  const headers = { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/scim+json" }) };
  const answer = await fetch(`${service.url}/scim/v2${path}`, { method, headers, body: body && JSON.stringify(body) });
  return answer.status;
}

before(async () => {
  service = await startService({ config: "[directory]\nmax_leave_share = 0.01\n" });
  browser = await launch();
  token = JSON.parse(service.run("token", "create", "--service", "okta", "--owner", ADMIN, "--scopes", "scim", "--format", "json")).token;
  for (const id of LEAVERS) assert.equal(await scim("POST", "/Users", { userName: id, externalId: id, displayName: NAMES[id], title: "Analyst" }), 201);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

describe("people who would leave by one source", () => {
  test("are held back above the bound", async () => {
    const answers = [];
    for (const id of LEAVERS) answers.push(await scim("DELETE", `/Users/${id}`));
    assert.deepEqual(answers, LEAVERS.map((_, n) => (n < OUT ? 204 : 429)));
  });

  test("are named to an admin, from the home page and from /system", async () => {
    for (const colorScheme of ["light", "dark"]) {
      const page = await pageOf(browser, service, ADMIN, { colorScheme, reducedMotion: "reduce" });
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        await page.goto("/system");
        await page.getByRole("definition").getByRole("link", { name: "1", exact: true }).click();
        await page.goto("/");
        assert.ok(await page.getByText(/4 of \d+ people would leave by scim:okta/).count());
        await screenshot(page, `leavers-home-${colorScheme}-${width}`);
        assert.deepEqual(await axe(page), [], `home at ${width} px`);
        assert.equal(await overflow(page), 0);
        await page.getByRole("link", { name: "Look who they are" }).click();
        for (const [n, id] of LEAVERS.entries()) assert.equal(await page.getByRole("link", { name: NAMES[id] }).count(), n < OUT ? 0 : 1, `${id}: who is out is not waited for`);
        await screenshot(page, `leavers-${colorScheme}-${width}`);
        assert.deepEqual(await axe(page), [], `at ${width} px`);
        assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
        assert.deepEqual(page.troubles, []);
      }
      await page.context().close();
    }
  });

  test("are not shown to others", async () => {
    const page = await pageOf(browser, service, "mina.solberg");
    await page.goto("/");
    assert.equal(await page.getByText(/would leave/).count(), 0);
    assert.equal((await page.goto("/system/leavers")).status(), 403);
    await page.context().close();
  });

  test("leave when an admin says why, and a second confirmation is a conflict", async () => {
    const page = await pageOf(browser, service, ADMIN);
    const late = await pageOf(browser, service, ADMIN);
    for (const each of [page, late]) await each.goto("/system/leavers");
    await page.getByLabel("Why it is right that they leave").fill("The Bergen office closes");
    await page.getByRole("button", { name: "Let scim:okta go on" }).click();
    assert.ok(await page.getByText("No source is held back").count());
    await screenshot(page, "leavers-none");
    await late.getByLabel("Why it is right that they leave").fill("The same");
    const [answer] = await Promise.all([late.waitForResponse(/confirm$/), late.getByRole("button", { name: "Let scim:okta go on" }).click()]);
    assert.equal(answer.status(), 409);
    await page.context().close();
    await late.context().close();
    for (const id of LEAVERS.slice(OUT)) assert.equal(await scim("DELETE", `/Users/${id}`), 204);
  });

  test("stand in the log with the reason", async () => {
    const lines = service.run("audit", "list", "--kind", "leavers.confirmed", "--format", "json");
    assert.match(lines, /Bergen office closes/);
  });
});
