#!/usr/bin/env node
// Records fixtures/webauthn.json: real WebAuthn registrations and assertions, made by headless Chromium with virtual
// authenticators on pages of localhost, over the content digests of fixtures/batch/valid. Run it again when those
// digests change: `node scripts/record-passkeys.mjs`. Needs Node 20 and a chromium in the PATH (or in CHROMIUM;
// `apt-get install chromium`), nothing from npm: the browser is spoken to over a pipe. The keys are made anew by each
// run and stay in the browser's memory, so the file changes whenever it is recorded.
import { spawn, execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "..", "fixtures");
const RP_ID = "localhost";
const PORTS = [8799, 8798]; // the second one is an origin that no policy lists
const program = process.env.CHROMIUM ?? "chromium";

/** Chromium behind --remote-debugging-pipe: JSON messages that end in a zero byte, on descriptors 3 and 4. */
class Browser {
  constructor(profile) {
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
    this.child = spawn(program, [...flags, "--remote-debugging-pipe"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.number = 0;
    this.waiting = new Map();
    let pending = "";
    this.child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (pending + text).split("\0");
      pending = messages.pop();
      for (const message of messages.map((one) => JSON.parse(one))) {
        const waiting = this.waiting.get(message.id);
        if (!waiting) continue;
        this.waiting.delete(message.id);
        message.error ? waiting.reject(new Error(message.error.message)) : waiting.resolve(message.result);
      }
    });
    this.child.on("exit", () => this.waiting.forEach(({ reject }) => reject(new Error("the browser ended"))));
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.number;
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }
}

/** One page with one authenticator of its own. */
class Page {
  static async open(browser, port, options) {
    const { targetId } = await browser.send("Target.createTarget", { url: `http://localhost:${port}/` });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page();
    page.send = (method, params) => browser.send(method, params, sessionId);
    await page.send("WebAuthn.enable", { enableUI: false });
    const authenticator = { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true };
    const added = await page.send("WebAuthn.addVirtualAuthenticator", {
      options: { ...authenticator, automaticPresenceSimulation: true, ...options },
    });
    page.authenticatorId = added.authenticatorId;
    while ((await page.evaluate("typeof globalThis.assert")) !== "function") await setTimeout(50);
    return page;
  }

  async evaluate(expression) {
    const answer = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? "script failed");
    return answer.result.value;
  }

  register(person, verification) {
    return this.evaluate(`register(${JSON.stringify({ person, verification, rp: RP_ID })})`);
  }

  assert(credential, digest, verification) {
    const asked = { credential, digest, verification, rp: RP_ID };
    return this.evaluate(`assert(${JSON.stringify(asked)})`);
  }

  /** Puts the credential's counter to where the next assertion says `next`. */
  async countFrom(next) {
    const { credentials } = await this.send("WebAuthn.getCredentials", { authenticatorId: this.authenticatorId });
    for (const credential of credentials) {
      const { authenticatorId } = this;
      await this.send("WebAuthn.removeCredential", { authenticatorId, credentialId: credential.credentialId });
      await this.send("WebAuthn.addCredential", {
        authenticatorId,
        credential: { ...credential, signCount: next - 1 },
      });
    }
  }
}

/** What runs in the page. The public key comes as SubjectPublicKeyInfo, whose last 65 bytes are the point. */
const script = `
const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
const bytes = (text) => new Uint8Array(text.match(/../g).map((pair) => parseInt(pair, 16)));
async function register({ person, verification, rp }) {
  const made = await navigator.credentials.create({ publicKey: {
    rp: { id: rp, name: "Airlock" }, user: { id: new TextEncoder().encode(person), name: person, displayName: person },
    challenge: new Uint8Array(32), pubKeyCredParams: [{ type: "public-key", alg: -7 }], timeout: 20000,
    authenticatorSelection: { residentKey: "required", userVerification: verification },
  } });
  if (made.response.getPublicKeyAlgorithm() !== -7) throw new Error("not ES256");
  return {
    credential: hex(made.rawId), public_key: hex(made.response.getPublicKey()).slice(-130),
    registration: { authenticator_data: hex(made.response.getAuthenticatorData()), client_data: hex(made.response.clientDataJSON) },
  };
}
async function assert({ credential, digest, verification, rp }) {
  const { response } = await navigator.credentials.get({ publicKey: {
    rpId: rp, challenge: bytes(digest), userVerification: verification, timeout: 20000,
    allowCredentials: [{ type: "public-key", id: bytes(credential) }],
  } });
  return {
    digest, authenticator_data: hex(response.authenticatorData), client_data: hex(response.clientDataJSON),
    signature: hex(response.signature),
  };
}`;

function serve(port) {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>passkeys</title><script>${script}</script>`);
  });
  return new Promise((resolve) => server.listen(port, "localhost", () => resolve(server)));
}

/** Name to digest, of every content of every valid bundle. */
function bundledContents() {
  const digests = JSON.parse(readFileSync(join(fixtures, "batch", "valid", "digests.json"), "utf8"));
  const bundles = Object.entries(digests).filter(([name]) => name.startsWith("bundle-"));
  const named = ([name, { content }]) => content.map((digest, place) => [`${name}/${place}`, digest]);
  return Object.fromEntries(bundles.flatMap(named));
}

async function record(browser) {
  const contents = bundledContents();
  const names = Object.keys(contents);
  const digest = contents[names[0]];
  const able = { hasUserVerification: true, isUserVerified: true };

  // Carol's authenticator counts, verifies her; it approves every content.
  const carol = await Page.open(browser, PORTS[0], { ...able, transport: "usb" });
  const carols = { person: "carol", ...(await carol.register("carol", "required")), assertions: [] };
  for (const name of names) {
    carols.assertions.push({ content: name, ...(await carol.assert(carols.credential, contents[name], "required")) });
  }
  await carol.countFrom(1);
  const fallen = await carol.assert(carols.credential, digest, "required");

  // Erin's keeps no counter, as the synchronised passkeys of phones do.
  const erin = await Page.open(browser, PORTS[0], { ...able, defaultBackupEligibility: true, defaultBackupState: true });
  const erins = { person: "erin", ...(await erin.register("erin", "required")), assertions: [] };
  for (const name of names) {
    await erin.countFrom(0);
    erins.assertions.push({ content: name, ...(await erin.assert(erins.credential, contents[name], "required")) });
  }

  // Frank's cannot verify anybody: a touch is all.
  const frank = await Page.open(browser, PORTS[0], { hasUserVerification: false });
  const franks = { person: "frank", ...(await frank.register("frank", "discouraged")), assertions: [] };
  franks.assertions.push({ content: names[0], ...(await frank.assert(franks.credential, digest, "discouraged")) });

  // The same relying party, asked from a page of another port.
  const grace = await Page.open(browser, PORTS[1], able);
  const graces = { person: "grace", ...(await grace.register("grace", "required")), assertions: [] };
  graces.assertions.push({ content: names[0], ...(await grace.assert(graces.credential, digest, "required")) });

  return {
    recorded_with: (await browser.send("Browser.getVersion")).product,
    rp_id: RP_ID,
    origin: `http://localhost:${PORTS[0]}`,
    contents,
    people: [carols, erins],
    unverified: franks,
    other_origin: graces,
    counter_fallen: fallen,
  };
}

const profile = mkdtempSync(join(tmpdir(), "airlock-passkeys-"));
const servers = await Promise.all(PORTS.map(serve));
execFileSync(program, ["--version"], { stdio: "ignore" });
const browser = new Browser(profile);
try {
  const recorded = await record(browser);
  writeFileSync(join(fixtures, "webauthn.json"), `${JSON.stringify(recorded, null, 2)}\n`);
  console.log(`recorded ${recorded.people.length + 2} credentials with ${recorded.recorded_with}`);
} finally {
  const ended = once(browser.child, "exit");
  await browser.send("Browser.close").catch(() => {});
  await ended;
  servers.forEach((server) => server.close());
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
