// /system: what an admin sees when the set-up is sound, and when things are broken under a running service.

import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { axe, launch, overflow, pageOf, screenshot } from "./browser.mjs";
import { startService } from "./service.mjs";

let service;
let browser;

before(async () => {
  service = await startService();
  browser = await launch();
  // An edit with an error, and files that others may use. The first look comes after.
  const path = join(service.policies, "groups/data/warehouse-analysts.toml");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('then = "grant"', 'then = "grnt"'));
  await chmod(join(service.folder, "audit.key"), 0o644);
  await chmod(join(service.folder, "bandpass.db"), 0o644);
  for (let tries = 0; tries < 60; tries += 1) {
    const ready = await (await fetch(`${service.url}/readyz`)).json();
    if (ready.status === "degraded") return;
    await pause(250);
  }
  assert.fail("the error in the policy is never seen");
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

describe("/system", () => {
  for (const colorScheme of ["light", "dark"]) {
    test(`says what is wrong and what cures it, in ${colorScheme}`, async () => {
      const page = await pageOf(browser, service, "tuva.nilsen", { colorScheme, reducedMotion: "reduce" });
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        await page.goto("/system");
        await screenshot(page, `system-broken-${colorScheme}-${width}`);
        assert.ok(await page.getByText(/2 things do not work/).count());
        assert.ok(await page.getByText(/`then` cannot be `grnt`/).count());
        assert.ok(await page.getByText(/chmod 600 .*audit\.key$/).count());
        assert.deepEqual(page.troubles, [], `at ${width} px`);
        assert.deepEqual(await axe(page), [], `at ${width} px`);
        assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
      }
      await page.context().close();
    });
  }
  test("is reached from the menu of an admin, and is not for others", async () => {
    const admin = await pageOf(browser, service, "tuva.nilsen");
    await admin.getByText("Tuva Nilsen", { exact: true }).click();
    await admin.getByRole("link", { name: "System" }).click();
    await admin.waitForURL(/\/system$/);
    await admin.context().close();
    const other = await pageOf(browser, service, "nora.lindqvist");
    assert.equal((await other.goto("/system")).status(), 403);
    await other.context().close();
  });
});
