// Signing in with a certified provider in a real browser: claims in the ID token and at userinfo alone; out here, out there, and
// ended from there; a program with a token of its own.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { axe, launch, openPage, overflow, screenshot } from "./browser.mjs";
import { AUDIENCE, BOT, CLIENT, startProvider } from "./provider.mjs";
import { freePort, startService } from "./service.mjs";

const connectors = ["warehouse", "github", "kubernetes", "payments", "crm", "files"];

async function start(inIdToken) {
  const [port, providerPort] = [await freePort(), await freePort()];
  const provider = await startProvider({ bandpass: `http://127.0.0.1:${port}`, port: providerPort, inIdToken });
  const config = `
[signin]
mode = "oidc"
[[signin.issuer]]
name = "company"
title = "Company account"
url = "${provider.url}"
client_id = "${CLIENT.id}"
client_secret = "${CLIENT.secret}"
person_claim = "employee_id"
audiences = ["${AUDIENCE}"]
[[signin.issuer.client]]
client_id = "${BOT.id}"
service = "build-bot"
owner = "nora.lindqvist"
scopes = ["read", "request"]
${connectors.map((name) => `[[connector]]\nname = "${name}"\nkind = "memory"`).join("\n")}
`;
  const service = await startService({ config, port });
  return { service, provider };
}

/** The whole way of a person: the button here, the name there, and back. */
async function signIn(page, login, { lands = /\/$/ } = {}) {
  await page.getByRole("link", { name: "Sign in with Company account" }).click();
  const name = page.getByPlaceholder("Enter any login");
  await name.waitFor();
  await name.fill(login);
  await page.getByPlaceholder("and password").fill("anything");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(lands);
}

/** Asks the provider to sign out, and says yes there. */
async function saysYes(page) {
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
}

/** Looks at a page as every page is looked at. */
async function looks(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
      assert.equal(await overflow(page), 0, `${name} is too wide at ${width} px`);
      await screenshot(page, `${name}-${colorScheme}-${width}`);
      assert.deepEqual(await axe(page), [], `${name} in ${colorScheme} at ${width} px`);
    }
  }
}

for (const inIdToken of [true, false]) {
  describe(inIdToken ? "claims in the ID token" : "claims at userinfo alone", () => {
    let service;
    let provider;
    let browser;
    before(async () => {
      ({ service, provider } = await start(inIdToken));
      browser = await launch();
    });
    after(async () => {
      await browser?.close();
      await service?.stop();
      await provider?.stop();
    });
    const open = () => openPage(browser, service, { elsewhere: provider.url });

    test("in, to where one was, and out here and there", async () => {
      const page = await open();
      await page.goto("/groups/warehouse-analysts");
      assert.equal(new URL(page.url()).pathname, "/signin");
      await looks(page, "issuers");
      await signIn(page, "nora", { lands: /\/groups\/warehouse-analysts$/ });
      assert.equal(await page.locator("details.me summary").innerText(), "Nora Lindqvist");
      assert.equal(await page.getByText("Development sign-in").count(), 0);
      const cookies = (await page.context().cookies(service.url)).filter((cookie) => cookie.name.startsWith("bandpass"));
      assert.ok(cookies.length > 0 && cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === "Lax"));
      await page.locator("details.me summary").click();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL(/\/signed-out/);
      await looks(page, "signed-out-here");
      await page.getByRole("link", { name: "Sign out of Company account" }).click();
      await saysYes(page);
      await page.waitForURL(/\/signed-out/);
      assert.ok(await page.getByText("This browser is not signed in to Bandpass.").isVisible());
      await looks(page, "signed-out-there");
      await page.goto("/access");
      assert.equal(new URL(page.url()).pathname, "/signin");
      assert.deepEqual(page.troubles, []);
      assert.deepEqual(provider.troubles, []);
      await page.context().close();
    });

    test("without JavaScript", async () => {
      const page = await openPage(browser, service, { elsewhere: provider.url, javaScriptEnabled: false });
      await page.goto("/");
      await signIn(page, "mina");
      assert.equal(await page.locator("details.me summary").innerText(), "Mina Solberg");
      await page.context().close();
    });

    test("ended from there: back-channel logout", async () => {
      const page = await open();
      await page.goto("/");
      await signIn(page, "rashid");
      assert.equal((await page.goto("/access")).status(), 200);
      await page.goto(`${provider.url}/session/end`);
      await saysYes(page);
      await page.getByText("Sign-out Success").waitFor();
      // The provider tells every app before it says so; half a second is for a slow machine.
      for (let tries = 0; tries < 10; tries += 1) {
        await page.goto("/access");
        if (new URL(page.url()).pathname === "/signin") break;
        await pause(50);
      }
      assert.equal(new URL(page.url()).pathname, "/signin", "the session here is over");
      const ended = service.run("audit", "list", "--kind", "session.ended", "--format", "json");
      assert.match(ended, /back-channel/);
      assert.deepEqual(provider.troubles, []);
      await page.context().close();
    });
  });
}

describe("with a provider", () => {
  let service;
  let provider;
  let browser;
  before(async () => {
    ({ service, provider } = await start(true));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
    await provider?.stop();
  });
  const open = (options) => openPage(browser, service, { elsewhere: provider.url, ...options });

  test("whom the directory does not have gets a page that says what to do", async () => {
    const page = await open();
    await page.goto("/");
    await signIn(page, "stranger", { lands: /callback/ });
    await page.getByRole("heading", { name: "You are not in the directory" }).waitFor();
    assert.ok(await page.getByText("nobody.known").isVisible());
    await looks(page, "signin-nobody");
    await page.goto("/access");
    assert.equal(new URL(page.url()).pathname, "/signin");
    await page.context().close();
  });

  test("sessions: two browsers, one ends the other", async () => {
    const [here, there] = [await open(), await open({ userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1" })];
    for (const page of [here, there]) {
      await page.goto("/");
      await signIn(page, "nora");
    }
    await here.locator("details.me summary").click();
    await here.getByRole("link", { name: "Sessions" }).click();
    await here.getByText("Safari on iPhone", { exact: true }).waitFor();
    await looks(here, "sessions");
    await here.getByRole("button", { name: /End Safari on iPhone/ }).click();
    await here.waitForURL(/\/sessions$/);
    assert.equal(await here.getByText("Safari on iPhone", { exact: true }).count(), 0);
    await there.goto("/access");
    assert.equal(new URL(there.url()).pathname, "/signin");
    assert.deepEqual(here.troubles, []);
    for (const page of [here, there]) await page.context().close();
  });

  test("an admin sees somebody's sessions on their page, and ends them", async () => {
    const phone = { userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1" };
    const [admin, desk, pocket] = [await open(), await open(), await open(phone)];
    for (const [page, login] of [[admin, "tuva"], [desk, "nora"], [pocket, "nora"]]) {
      await page.goto("/");
      await signIn(page, login);
    }
    await admin.goto("/people/nora.lindqvist");
    const list = admin.getByRole("region", { name: "Signed in" });
    await list.getByText("Safari on iPhone", { exact: true }).waitFor();
    // The test before left one of hers.
    const before = await list.getByRole("listitem").count();
    assert.ok(before >= 2);
    await looks(admin, "person-sessions");
    await list.getByRole("button", { name: /End Safari on iPhone/ }).click();
    await admin.waitForURL(/#sessions$/);
    await admin.waitForLoadState();
    assert.equal(await list.getByRole("listitem").count(), before - 1);
    await pocket.goto("/access");
    assert.equal(new URL(pocket.url()).pathname, "/signin");
    await desk.goto("/access");
    assert.equal(new URL(desk.url()).pathname, "/access");
    await list.getByRole("button", { name: "End all sessions" }).click();
    await list.getByText("No browser is signed in as Nora Lindqvist.").waitFor();
    await looks(admin, "person-no-sessions");
    await desk.goto("/access");
    assert.equal(new URL(desk.url()).pathname, "/signin");
    assert.match(service.run("audit", "list", "--kind", "session.ended", "--format", "json"), /person:tuva\.nilsen/);
    // Nora herself, signed in again, finds no such list on anybody's page.
    await desk.goto("/");
    await desk.getByRole("link", { name: "Sign in with Company account" }).click();
    await desk.waitForURL(/\/$/);
    for (const id of ["tuva.nilsen", "nora.lindqvist"]) {
      await desk.goto(`/people/${id}`);
      assert.equal(await desk.getByRole("region", { name: "Signed in" }).count(), 0);
    }
    for (const page of [admin, desk, pocket]) await page.context().close();
  });

  test("an issuer that is away is told as what it is", async () => {
    const port = await freePort();
    const config = `[signin]\nmode = "oidc"\n[[signin.issuer]]\nname = "company"\ntitle = "Company account"\nurl = "http://127.0.0.1:${port}"\nclient_id = "x"\n${connectors.map((name) => `[[connector]]\nname = "${name}"\nkind = "memory"`).join("\n")}\n`;
    const alone = await startService({ config });
    const page = await openPage(browser, alone);
    await page.goto("/");
    const answer = page.waitForResponse((response) => response.url().endsWith("/signin/company?return_to=%2F"));
    await page.getByRole("link", { name: "Sign in with Company account" }).click();
    assert.equal((await answer).status(), 502);
    await page.getByRole("heading", { name: "The sign-in service did not answer as it should" }).waitFor();
    await looks(page, "signin-away");
    await page.context().close();
    await alone.stop();
  });

  test("a program with client credentials files a request, and cannot approve", async () => {
    const answer = await fetch(`${provider.url}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${encodeURIComponent(BOT.id)}:${encodeURIComponent(BOT.secret)}`).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE, scope: "read request approve" }),
    });
    const { access_token: token } = await answer.json();
    assert.equal(answer.status, 200);
    const call = (path, body) =>
      fetch(`${service.url}/api/v1${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const filed = await call("/requests", { group: "warehouse-engineers", duration: "8h", justification: "a nightly backfill" });
    const request = await filed.json();
    assert.deepEqual([filed.status, request.status, request.person], [201, "pending", "nora.lindqvist"], JSON.stringify(request));
    const vote = await call(`/requests/${request.id}/approve`, {});
    assert.equal(vote.status, 403);
    assert.match(JSON.stringify(await vote.json()), /scope|service/);
    assert.match(service.run("audit", "list", "--kind", "request.submitted", "--format", "json"), /service:build-bot/);
  });
});
