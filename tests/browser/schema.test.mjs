// `bandpass policy schema` in a real validator: every sample file passes, and what `policy check` refuses in one file alone, the
// schema refuses as well. No browser: the validator is an npm package, and packages are here.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";

import Ajv2020 from "ajv/dist/2020.js";
import { parse } from "smol-toml";

import { root } from "./service.mjs";

const binary = resolve(root, process.env.BANDPASS_BIN ?? "target/debug/bandpass");
const bandpass = (...given) => spawnSync(binary, given, { cwd: root, encoding: "utf8" });

function validator(kind) {
  const { stdout, status } = bandpass("policy", "schema", kind);
  assert.equal(status, 0);
  // `strict` refuses schemas with keywords that do nothing; an `if` over a whole table needs these two off.
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
  const validate = ajv.compile(JSON.parse(stdout));
  return (text) => (validate(parse(text)) ? [] : validate.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`));
}

test("every sample file fits its schema", async () => {
  const group = validator("group");
  const files = (await readdir(join(root, "policies/groups"), { recursive: true })).filter((f) => f.endsWith(".toml"));
  assert.ok(files.length >= 40);
  for (const file of files) assert.deepEqual(group(await readFile(join(root, "policies/groups", file), "utf8")), [], file);
  for (const kind of ["conflicts", "roles", "attributes"]) {
    assert.deepEqual(validator(kind)(await readFile(join(root, `policies/${kind}.toml`), "utf8")), [], kind);
  }
  for (const file of await readdir(join(root, "policies/tests"))) {
    assert.deepEqual(validator("tests")(await readFile(join(root, "policies/tests", file), "utf8")), [], file);
  }
});

test("a case that tests nothing fails its schema", () => {
  const complaints = validator("tests");
  const sound = '[[case]]\nname = "n"\ngroup = "g"\nfor = "8h"\nexpect = "denied"\nreason = "no rule"\nat = "2026-12-24T08:00:00Z"\n';
  assert.deepEqual(complaints(sound), []);
  assert.match(complaints(sound.replace("expect", "expects")).join("\n"), /expects/);
  assert.match(complaints(sound.replace('group = "g"\n', "")).join("\n"), /'group'/);
  assert.match(complaints(sound.replace('"no rule"', '""')).join("\n"), /reason/);
});

const SOUND = `title = "Wiki editors"
description = "Edit every page of the internal wiki."
owner = "team:it"
sensitivity = "internal"
[[rule]]
name = "r"
who = ["everyone"]
then = "approve"
for = "30d"
[[rule.stage]]
from = ["manager"]
`;

// What to change, and what the schema must complain of.
const BROKEN = [
  ["justification", (t) => t.replace("[[rule.stage]]", 'justificaton = "required"\n[[rule.stage]]'), /justificaton/],
  ["an unknown key at the top", (t) => `colour = "red"\n${t}`, /colour/],
  ["a word that does not exist", (t) => t.replace('"internal"', '"secret"'), /sensitivity/],
  ["a duration in words", (t) => t.replace('"30d"', '"30 days"'), /for/],
  ["no rule may be without `for`", (t) => t.replace('for = "30d"\n', ""), /'for'/],
  ["an approval without a stage", (t) => t.replace('[[rule.stage]]\nfrom = ["manager"]\n', ""), /'stage'/],
  ["a grant with a stage", (t) => t.replace('"approve"', '"grant"'), /stage/],
  ["`manager` as `who`", (t) => t.replace('["everyone"]', '["manager"]'), /who/],
  ["a group as owner", (t) => t.replace('"team:it"', '"group:vpn"'), /owner/],
  ["nobody", (t) => t.replace('["everyone"]', "[]"), /who/],
  ["no approval needed", (t) => `${t}need = 0\n`, /need/],
  ["an allowance of an error", (t) => `${t}[[allow]]\ncode = "BP004"\nreason = "no"\n`, /allow/],
];

test("what is wrong within a file fails the schema and the check alike", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bandpass-schema-"));
  try {
    await cp(join(root, "policies"), folder, { recursive: true });
    const group = validator("group");
    const check = async (text) => {
      await writeFile(join(folder, "groups/wiki-editors.toml"), text);
      const { stdout, status } = bandpass("policy", "check", folder, "--format", "json");
      return { status, own: JSON.parse(stdout).problems.filter((p) => p.file === "groups/wiki-editors.toml" && p.severity === "error") };
    };
    assert.deepEqual(group(SOUND), []);
    assert.equal((await check(SOUND)).status, 0);
    for (const [what, change, complaint] of BROKEN) {
      const text = change(SOUND);
      assert.notEqual(text, SOUND, what);
      assert.match(group(text).join("\n"), complaint, what);
      const { status, own } = await check(text);
      assert.equal(status, 1, what);
      assert.ok(own.length > 0, what);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
