// What waits for an admin: endings that one edit of policy would cause, and the first removals of adopted memberships. Seen by an
// admin, by somebody who is none, and on the pages of the people it is about; then confirmed. No axe violation, no sideways scrolling.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { axe, launch, overflow, pageOf, screenshot } from "./browser.mjs";
import { startService } from "./service.mjs";

const GROUP = "groups/data/warehouse-analysts.toml";
const WHO = 'who  = ["team:analytics", "team:forecasting"]';
const MEMBERS = ["nora.lindqvist", "emeka.eze", "silje.haugen", "annika.moller", "jonas.haddad", "friederike.hinrichs", "iryna.melnyk", "mina.solberg"];

let service;
let browser;

/** Loads a page again until a text is on it, or is no longer. */
async function until(page, path, text, there = true) {
  for (let tries = 0; tries < 60; tries += 1) {
    await page.goto(path);
    if (Boolean(await page.getByText(text).count()) === there) return;
    await pause(500);
  }
  assert.fail(`${path} ${there ? "never" : "always"} says ${text}`);
}

/** The page of a person at two widths and in two schemes. */
async function looksRight(name, path, person, says, more = () => {}) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await pageOf(browser, service, person, { colorScheme, reducedMotion: "reduce" });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(path);
      assert.ok(await page.getByText(says).count(), `${path} says ${says}`);
      await more(page);
      await screenshot(page, `${name}-${colorScheme}-${width}`);
      assert.deepEqual(page.troubles, [], `at ${width} px`);
      assert.deepEqual(await axe(page), [], `at ${width} px`);
      assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
    }
    await page.context().close();
  }
}

before(async () => {
  // Everybody holds what comes without asking, so the few of this test are a small share of all live grants.
  service = await startService({ config: "[policy]\nconfirm_share = 0.01\n" });
  browser = await launch();
  const catalogue = join(service.folder, "members.yaml");
  const entity = (kind, name, spec) => `apiVersion: backstage.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${JSON.stringify(spec)}\n`;
  const entities = MEMBERS.map((name) => entity("User", name, { memberOf: ["warehouse-analysts"] }));
  await writeFile(catalogue, [entity("Group", "warehouse-analysts", { type: "team", children: [] }), ...entities].join("---\n"));
  service.run("grants", "adopt", "--backstage", catalogue, "--apply");
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

describe("removals of adopted memberships", () => {
  test("wait once an owner ends one", async () => {
    const page = await pageOf(browser, service, "ada.berg");
    await page.goto("/people/jonas.haddad");
    await page.getByText("End it", { exact: true }).click();
    await page.getByLabel("Why").fill("The tender is over");
    await page.getByRole("button", { name: /^end warehouse analysts/i }).click();
    await until(page, "/policy", /Removals that wait/);
    await page.context().close();
  });
  test("are shown to an admin with what they are", () =>
    looksRight("removals-admin", "/policy#removals", "tuva.nilsen", /Removals that wait/, async (page) => {
      assert.ok(await page.getByRole("link", { name: "jonas.haddad" }).count());
      await page.getByText("Let them go", { exact: true }).click();
    }));
  test("are shown to others without names and without a button", () =>
    looksRight("removals-other", "/policy", "nora.lindqvist", /Removals that wait/, async (page) => {
      assert.equal(await page.getByText("jonas.haddad").count(), 0);
      assert.equal(await page.getByText("Let them go", { exact: true }).count(), 0);
    }));
  test("are shown on the person's page", () => looksRight("removals-person", "/people/jonas.haddad", "mina.solberg", /Still at target systems/));
  test("go when an admin says why", async () => {
    const page = await pageOf(browser, service, "tuva.nilsen");
    await page.goto("/policy");
    await page.getByText("Let them go", { exact: true }).click();
    await page.getByLabel("Why", { exact: true }).fill("Looked through the list with the warehouse team");
    await page.getByRole("button", { name: /take 1 membership/i }).click();
    await until(page, "/policy", /Removals that wait/, false);
    await until(page, "/policy", /1 wait/, false);
    await page.context().close();
  });
});

describe("endings that one edit would cause", () => {
  test("wait once the edit is in force", async () => {
    const path = join(service.policies, GROUP);
    const text = await readFile(path, "utf8");
    assert.ok(text.includes(WHO));
    await writeFile(path, text.replace(WHO, 'who  = ["team:treasury"]'));
    const page = await pageOf(browser, service, "tuva.nilsen");
    await until(page, "/policy", /Endings that wait for confirmation/);
    await page.context().close();
  });
  test("are shown to an admin", () => looksRight("endings-admin", "/policy", "tuva.nilsen", /live grants would end by one change/, async (page) => assert.ok(await page.getByLabel(/why it is right/i).count())));
  test("are shown to others without the form", () =>
    looksRight("endings-other", "/policy", "nora.lindqvist", /live grants would end by one change/, async (page) => assert.equal(await page.getByLabel(/why it is right/i).count(), 0)));
  test("have not happened to a holder", async () => {
    const page = await pageOf(browser, service, "nora.lindqvist");
    await page.goto("/access");
    assert.ok(await page.getByText(/Warehouse analysts/).count());
    assert.equal(await page.getByText(/no longer does/).count(), 0);
    await page.context().close();
  });
  test("happen when an admin says why", async () => {
    const page = await pageOf(browser, service, "tuva.nilsen");
    await page.goto("/policy");
    await page.getByLabel(/why it is right/i).fill("The warehouse moves to treasury");
    await page.getByRole("button", { name: /let them end/i }).click();
    await until(page, "/policy", /Endings that wait for confirmation/, false);
    await page.context().close();
    const holder = await pageOf(browser, service, "nora.lindqvist");
    await until(holder, "/access", /no longer does/);
    await holder.context().close();
  });
});

describe("a group that left the policy", () => {
  test("still shows its owners and admins who holds it", async () => {
    await rm(join(service.policies, GROUP));
    const page = await pageOf(browser, service, "tuva.nilsen");
    await until(page, "/groups/warehouse-analysts", /no longer in the policy/);
    await page.context().close();
  });
  test("looks right", () => looksRight("departed", "/groups/warehouse-analysts", "tuva.nilsen", /Who still holds it/));
  test("lets an admin end what is left", async () => {
    const page = await pageOf(browser, service, "tuva.nilsen");
    await page.goto("/groups/warehouse-analysts");
    const row = page.getByRole("listitem").filter({ hasText: "Emeka Eze" });
    await row.getByText("End it", { exact: true }).click();
    await row.getByLabel("Why").fill("The group is gone");
    await row.getByRole("button", { name: /end it for emeka/i }).click();
    await page.waitForURL(/groups/);
    assert.equal(await page.getByText("Emeka Eze").count(), 0);
    await page.context().close();
  });
  test("is not there for others", async () => {
    const page = await pageOf(browser, service, "jonas.haddad");
    const answer = await page.goto("/groups/warehouse-analysts");
    assert.equal(answer.status(), 404);
    await page.context().close();
  });
});
