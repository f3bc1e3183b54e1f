// Starts the built binary for one test file: its own folder, its own port, the sample organisation, nothing left behind.

import { spawn, spawnSync } from "node:child_process";
import { access, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const binary = resolve(root, process.env.BANDPASS_BIN ?? "target/debug/bandpass");
const READY_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 15_000;

export async function freePort() {
  const server = createServer();
  await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/**
 * Starts `bandpass serve` and waits until it is ready.
 *
 * `seed`: whether the first start files the sample requests. `config`: text of a configuration file. `port`: where, when that must be
 * known before. The answer has `url`, `policies` (a copy of the policy folder
 * that a test may edit), `run(...)` for another command of the binary with the same configuration, `log()` and `stop()`, which
 * fails when the service does not end cleanly.
 */
export async function startService({ seed = false, config = "", port } = {}) {
  await access(binary).catch(() => {
    throw new Error(`there is no ${binary}: run \`cargo build\` first, or name another one by BANDPASS_BIN`);
  });
  const folder = await mkdtemp(join(tmpdir(), "bandpass-browser-"));
  const policies = join(folder, "policies");
  await cp(join(root, "policies"), policies, { recursive: true });
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const file = join(folder, "bandpass.toml");
  await writeFile(file, config);
  const url = `http://${address}`;
  const lines = [];
  const env = {
    ...process.env,
    BANDPASS__SERVER__LISTEN: address,
    BANDPASS__SERVER__PUBLIC_URL: url,
    BANDPASS__DATABASE__URL: `sqlite:${join(folder, "bandpass.db")}`,
    BANDPASS__AUDIT__KEY_FILE: join(folder, "audit.key"),
    BANDPASS__RUN__FOLDER: folder,
    BANDPASS__RUN__SEED_REQUESTS: String(seed),
    BANDPASS__POLICY__SOURCE: policies,
    BANDPASS__POLICY__POLL_SECONDS: "1",
    BANDPASS__REQUESTS__PER_PERSON_PER_HOUR: "1000",
  };
  const service = spawn(binary, ["serve", "--config", file], { cwd: root, stdio: ["ignore", "pipe", "pipe"], env });
  const run = (...given) => {
    const { status, stdout, stderr } = spawnSync(binary, [...given, "--config", file], { cwd: root, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`bandpass ${given.join(" ")} ended with ${status}\n${stdout}${stderr}`);
    return stdout;
  };
  for (const stream of [service.stdout, service.stderr]) stream.on("data", (text) => lines.push(String(text)));
  const log = () => lines.join("");
  let problem;
  const ended = new Promise((done) => {
    service.once("error", (error) => done((problem = error.message)));
    service.once("exit", (code, signal) => done((problem = signal ? `signal ${signal}` : `status ${code}`)));
  });
  // A test run that is cut short must not leave a server behind.
  const kill = () => service.kill("SIGKILL");
  process.once("exit", kill);

  async function stop() {
    const early = problem;
    if (early === undefined) service.kill("SIGTERM");
    const late = pause(ENDS_WITHIN_MS, "late", { ref: false });
    const how = await Promise.race([ended, late]);
    if (how === "late") {
      kill();
      await ended;
    }
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
    if (how === "late") throw new Error(`the service did not end within ${ENDS_WITHIN_MS / 1000} s of SIGTERM\n${log()}`);
    if (early !== undefined) throw new Error(`the service ended with ${early} before anybody asked it to\n${log()}`);
    if (how !== "status 0") throw new Error(`the service ended with ${how}\n${log()}`);
  }

  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    if (problem !== undefined) {
      await rm(folder, { recursive: true, force: true });
      throw new Error(`the service ended with ${problem} before it was ready\n${log()}`);
    }
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return { url, folder, policies, run, log, stop };
    if (Date.now() > deadline) {
      kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
      throw new Error(`the service was not ready within ${READY_WITHIN_MS / 1000} s\n${log()}`);
    }
    await pause(50);
  }
}
