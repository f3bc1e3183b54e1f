// The first start of a company whose people come over SCIM: the policy waits for them. Every page says so and why; then the policy
// comes into force by itself. No axe violation, no sideways scrolling.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { axe, launch, overflow, pageOf, screenshot } from "./browser.mjs";
import { root, startService } from "./service.mjs";

const ME = "tuva.nilsen";
const WAITS = /No policy is in force, so everything is denied\. .+: there is no (team|person) .+ comes into force by itself\./;

let service;
let browser;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "bandpass-first-"));
  const people = join(folder, "first.toml");
  await writeFile(people, `[[person]]\nid = "${ME}"\nname = "Tuva Nilsen"\n`);
  service = await startService({ config: `[directory]\nsource = "${people}"\n` });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await service?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("before the first people have come", () => {
  for (const [name, path] of [["home", "/"], ["policy", "/policy"], ["groups", "/groups"], ["organisation", "/org"]]) {
    test(`${name} says that nothing is in force, and why`, async () => {
      for (const colorScheme of ["light", "dark"]) {
        const page = await pageOf(browser, service, ME, { colorScheme, reducedMotion: "reduce" });
        for (const width of [360, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          assert.equal((await page.goto(path)).status(), 200);
          assert.ok(await page.getByRole("alert").filter({ hasText: WAITS }).count(), await page.textContent("header"));
          await screenshot(page, `first-${name}-${colorScheme}-${width}`);
          assert.deepEqual(page.troubles, []);
          assert.deepEqual(await axe(page), [], `at ${width} px`);
          assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
        }
        await page.context().close();
      }
    });
  }
  test("a request is not possible", async () => {
    const page = await pageOf(browser, service, ME);
    assert.equal((await page.goto("/request/warehouse-analysts")).status(), 404);
    await page.context().close();
  });
});

test("the policy comes into force by itself when they have", async () => {
  const page = await pageOf(browser, service, ME);
  await page.goto("/policy");
  // The sample organisation, as an import would bring it; SCIM is tried by the tests in Rust.
  service.run("directory", "import", "--people", join(root, "policies/org"), "--confirm");
  for (let tries = 0; tries < 60 && (await page.getByText(WAITS).count()); tries += 1) {
    await pause(500);
    await page.goto("/");
  }
  assert.equal(await page.getByText(WAITS).count(), 0);
  await page.goto("/policy");
  assert.ok(await page.getByText(/The files are what is in force/).count());
  await page.context().close();
});
