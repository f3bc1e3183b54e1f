// Every page: no axe violation in light and dark on a phone and a desktop, no sideways scrolling, small, and quiet.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { axe, fileRequest, launch, openPage, overflow, pageOf, screenshot, transfer } from "./browser.mjs";
import { startService } from "./service.mjs";

const WIDTHS = [320, 360, 480, 600, 768, 1024, 1280, 1440];
const MOST_BYTES = 60_000;

let service;
let browser;
let requestPath;
let deniedPath;
let grantedPath;
before(async () => {
  service = await startService({ seed: true });
  browser = await launch();
  const page = await pageOf(browser, service, "nora.lindqvist");
  requestPath = await fileRequest(page, "warehouse-engineers", "Backfill of the punctuality mart");
  // No rule fits, so none wants a reason.
  await page.goto("/request/crane-control");
  await page.getByRole("main").getByRole("button", { name: /^ask/i }).click();
  await page.waitForURL(/\/requests\//);
  deniedPath = new URL(page.url()).pathname;
  grantedPath = await fileRequest(page, "warehouse-analysts", "Backfill of the punctuality mart");
  await page.goto("/tokens");
  await page.getByLabel("What it is for").fill("Nightly report of the warehouse");
  await page.getByRole("button", { name: "Make the token" }).click();
  await page.getByRole("heading", { name: "Here it is, this once" }).waitFor();
  assert.equal((await axe(page)).length, 0, "the page that shows the secret");
  await screenshot(page, "tokens-made");
  await page.context().close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

// Name, path, who looks at it (nobody: not signed in), the status when it is not 200.
const PAGES = [
  ["home", "/", "nora.lindqvist"],
  ["home-search", "/?q=warehouse", "nora.lindqvist"],
  ["groups", "/groups", "nora.lindqvist"],
  ["group-instant", "/groups/warehouse-analysts", "nora.lindqvist"],
  ["group-refused", "/groups/crane-control", "jonas.haddad"],
  ["group-owned", "/groups/warehouse-owners", "ada.berg"],
  ["request-instant", "/request/warehouse-analysts", "nora.lindqvist"],
  ["request-approval", "/request/cluster-deployers", "jonas.haddad"],
  ["request-refused", "/request/warehouse-owners", "jonas.haddad"],
  ["request-waiting", () => requestPath, "nora.lindqvist"],
  ["request-denied", () => deniedPath, "nora.lindqvist"],
  ["request-granted", () => grantedPath, "nora.lindqvist"],
  ["access", "/access", "nora.lindqvist"],
  ["approvals", "/approvals", "ada.berg"],
  ["approvals-empty", "/approvals", "jonas.haddad"],
  ["person", "/people/nora.lindqvist", "mina.solberg"],
  ["person-of-others", "/people/camila.duarte", "nora.lindqvist"],
  ["person-myself", "/people/nora.lindqvist", "nora.lindqvist"],
  ["tokens", "/tokens", "nora.lindqvist"],
  ["tokens-of-all", "/tokens?all=1", "tuva.nilsen"],
  ["access-without-asking", "/access", "theo.laurent"],
  ["group-without-asking", "/groups/file-shares", "nora.lindqvist"],
  ["team", "/teams/analytics", "nora.lindqvist"],
  ["team-with-teams", "/teams/engineering", "nora.lindqvist"],
  ["organisation", "/org", "nora.lindqvist"],
  ["audit", "/audit", "rashid.karimi"],
  ["audit-filtered", "/audit?person=jonas.haddad&outcome=denied", "rashid.karimi"],
  ["audit-event", "/audit/1", "rashid.karimi"],
  ["policy", "/policy", "tuva.nilsen"],
  ["system", "/system", "tuva.nilsen"],
  ["policy-what-if", "/policy/what-if?person=theo.laurent&group=warehouse-analysts&duration=8h", "tuva.nilsen"],
  ["api-docs", "/docs", "nora.lindqvist"],
  ["signin", "/signin", undefined],
  ["not-allowed", "/audit", "nora.lindqvist", 403],
  ["not-found", "/no-such-page", "nora.lindqvist", 404],
];

function pathOf(path) {
  return typeof path === "function" ? path() : path;
}

function visit(person, options) {
  return person ? pageOf(browser, service, person, options) : openPage(browser, service, options);
}

for (const [name, path, person, status = 200] of PAGES) {
  describe(`${name}, as ${person ?? "nobody"}`, () => {
    for (const colorScheme of ["light", "dark"]) {
      test(`has no axe violation in ${colorScheme}`, async () => {
        const page = await visit(person, { colorScheme, reducedMotion: "reduce" });
        for (const width of [360, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          const answer = await page.goto(pathOf(path));
          assert.equal(answer.status(), status);
          assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, "one heading of the first level");
          await screenshot(page, `${name}-${colorScheme}-${width}`);
          assert.deepEqual(page.troubles, [], `at ${width} px`);
          assert.deepEqual(await axe(page), [], `at ${width} px`);
        }
        await page.context().close();
      });
    }

    test("never scrolls sideways", async () => {
      const page = await visit(person);
      await page.goto(pathOf(path));
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
      }
      await page.context().close();
    });

    test(`comes in less than ${MOST_BYTES / 1000} kB`, async (t) => {
      const page = await visit(person);
      const bytes = await transfer(page, pathOf(path));
      t.diagnostic(`${bytes} bytes`);
      assert.ok(bytes > 0 && bytes < MOST_BYTES, `${bytes} bytes`);
      await page.context().close();
    });
  });
}
