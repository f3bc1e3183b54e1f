// What people see when an edit of policy ends what they hold: the holder and an owner. No axe violation, no sideways scrolling.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { axe, fileRequest, launch, overflow, pageOf, screenshot } from "./browser.mjs";
import { startService } from "./service.mjs";

let service;
let browser;

/** Replaces a text in a policy file. */
async function edit(file, from, to) {
  const path = join(service.policies, file);
  const text = await readFile(path, "utf8");
  assert.ok(text.includes(from), `${file} holds ${from}`);
  await writeFile(path, text.replaceAll(from, to));
}

/** Loads a page again until a text is on it. */
async function until(page, path, text) {
  for (let tries = 0; tries < 60; tries += 1) {
    await page.goto(path);
    if (await page.getByText(text).count()) return;
    await pause(500);
  }
  assert.fail(`${path} never says ${text}`);
}

before(async () => {
  service = await startService({ seed: true });
  browser = await launch();
  const page = await pageOf(browser, service, "nora.lindqvist");
  await fileRequest(page, "warehouse-analysts", "Backfill of the punctuality mart");
  await edit("groups/data/warehouse-analysts.toml", 'who  = ["team:analytics", "team:forecasting"]', 'who  = ["team:forecasting"]');
  await until(page, "/access", /no longer does/);
  await page.context().close();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const PAGES = [
  ["ending-home", "/", "nora.lindqvist", /What changes for you/],
  ["ending-access", "/access", "nora.lindqvist", /no longer does/],
  ["ending-owner-home", "/", "ada.berg", /Groups you answer for/],
  ["ending-group", "/groups/warehouse-analysts", "ada.berg", /Nora Lindqvist/],
];

async function looksRight(name, path, person, says) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await pageOf(browser, service, person, { colorScheme, reducedMotion: "reduce" });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(path);
      assert.ok(await page.getByText(says).count(), `${path} says ${says}`);
      await screenshot(page, `${name}-${colorScheme}-${width}`);
      assert.deepEqual(page.troubles, [], `at ${width} px`);
      assert.deepEqual(await axe(page), [], `at ${width} px`);
      assert.equal(await overflow(page), 0, `pixels too wide at ${width} px`);
    }
    await page.context().close();
  }
}

describe("an edit that ends what people hold", () => {
  for (const [name, path, person, says] of PAGES) test(`is told on ${path} to ${person}`, () => looksRight(name, path, person, says));
});
