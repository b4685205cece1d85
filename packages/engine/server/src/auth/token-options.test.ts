import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTokenOptions } from "./token-options.ts";

const pairs = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "other-rsa": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "small-rsa": generateKeyPairSync("rsa", { modulusLength: 1024 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  ed25519: generateKeyPairSync("ed25519"),
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-token-options-"));
  const pem = (key: KeyObject, type: "spki" | "pkcs8") => key.export({ type, format: "pem" } as never) as string;
  for (const [name, { publicKey, privateKey }] of Object.entries(pairs)) {
    await writeFile(join(directory, `${name}.pub`), pem(publicKey, "spki"));
    await writeFile(join(directory, `${name}.key`), pem(privateKey, "pkcs8"));
  }
  await writeFile(join(directory, "secret"), randomBytes(64));
  await writeFile(join(directory, "empty"), "");
  await writeFile(join(directory, "text.key"), "hunter2");
});
afterAll(() => rm(directory, { recursive: true }));

/** The flag as written here: `DIR/` stands for the directory of the keys. */
const read = (flag: string) => readTokenOptions(flag.replaceAll("DIR", directory));

describe("readTokenOptions()", () => {
  test("simple tokens need no keys", async () => {
    expect(await read("simple")).toBeUndefined();
  });

  const families = [
    ["RS", ["rsa", "rsa", "rsa"]],
    ["PS", ["rsa", "rsa", "rsa"]],
    ["ES", ["p256", "p384", "p521"]],
  ] as const;
  const fitting = families.flatMap(([family, keys]) =>
    [256, 384, 512].map((bits, at) => [`${family}${bits}`, keys[at] ?? ""] as const),
  );
  test.each([...fitting, ["EdDSA", "ed25519"] as const])("%s takes both keys, or either", async (method, key) => {
    const flag = `jwt,sign-method=${method}`;
    const [pub, priv] = [`pub-key=DIR/${key}.pub`, `priv-key=DIR/${key}.key`];
    expect(await read(`${flag},${pub},${priv}`)).toMatchObject({ algorithm: method, signKey: expect.anything() });
    expect(await read(`${flag},${priv}`)).toMatchObject({
      verifyKey: { type: "public" },
      signKey: { type: "private" },
    });
    expect(await read(`${flag},${pub}`)).not.toHaveProperty("signKey");
  });

  test.each(["HS256", "HS384", "HS512"])("%s takes a shared secret of any bytes", async (method) => {
    const keys = await read(`jwt,sign-method=${method},priv-key=DIR/secret`);
    expect(keys).toMatchObject({ algorithm: method, signKey: keys?.verifyKey });
  });

  test.each([
    ["", 300],
    [",ttl=10m", 600],
    [",ttl=1h30m", 5400],
    [",ttl=7s", 7],
  ])("a token lives for what %j says: %i s", async (ttl, ttlSec) => {
    expect(await read(`jwt,sign-method=EdDSA,priv-key=DIR/ed25519.key${ttl}`)).toMatchObject({ ttlSec });
  });

  const noPair = "pub-key is not the one of priv-key";
  const jwt = (method: string) => `jwt,sign-method=${method}`;
  test.each([
    ["complex", 'must be "simple" or "jwt,sign-method=…"'],
    ["jwt", "sign-method must be one of RS256, RS384"],
    ["jwt,sign-method=none,priv-key=DIR/secret", "sign-method must be one of"],
    ["jwt,sign-method=rs256,priv-key=DIR/rsa.key", "sign-method must be one of"],
    [jwt("RS256"), "pub-key or priv-key must be given"],
    [jwt("HS256"), "priv-key must name the shared secret"],
    [`${jwt("HS256")},pub-key=DIR/secret`, "priv-key must name the shared secret"],
    [`${jwt("HS256")},priv-key=DIR/empty`, "priv-key must name the shared secret"],
    [`${jwt("RS256")},priv-key=DIR/none`, "cannot read the key file"],
    [`${jwt("RS256")},priv-key=DIR/rsa.pub`, "a key does not fit RS256"],
    [`${jwt("RS256")},priv-key=DIR/p256.key`, "a key does not fit RS256"],
    [`${jwt("RS256")},pub-key=DIR/ed25519.pub`, "a key does not fit RS256"],
    [`${jwt("RS256")},priv-key=DIR/small-rsa.key`, "a key does not fit RS256"],
    [`${jwt("RS256")},pub-key=DIR/small-rsa.pub`, "a key does not fit RS256"],
    [`${jwt("ES256")},priv-key=DIR/p384.key`, "a key does not fit ES256"],
    [`${jwt("ES256")},pub-key=DIR/p384.pub`, "a key does not fit ES256"],
    [`${jwt("ES384")},priv-key=DIR/rsa.key`, "a key does not fit ES384"],
    [`${jwt("EdDSA")},priv-key=DIR/p256.key`, "a key does not fit EdDSA"],
    [`${jwt("PS256")},priv-key=DIR/text.key`, "a key does not fit PS256"],
    [`${jwt("RS256")},pub-key=DIR/other-rsa.pub,priv-key=DIR/rsa.key`, noPair],
    [`${jwt("EdDSA")},priv-key=DIR/ed25519.key,ttl=0s`, "ttl must be longer than nothing"],
    [`${jwt("EdDSA")},priv-key=DIR/ed25519.key,ttl=-5m`, "ttl must be a duration like 10m"],
    [`${jwt("EdDSA")},priv-key=DIR/ed25519.key,ttl=10`, "ttl must be a duration like 10m"],
    [`${jwt("EdDSA")},priv-key=DIR/ed25519.key,ttl=5m,ttl=9m`, "ttl is given twice"],
    [`${jwt("HS256")},secret=hunter2`, "jwt has the options sign-method, pub-key, priv-key, ttl, each as NAME=VALUE"],
    [`${jwt("HS256")},hunter2`, "jwt has the options"],
  ])("%s is refused", async (flag, reason) => {
    const refusal = await read(flag).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "CONFIG", message: expect.stringContaining(reason) });
    expect(String(refusal)).toMatch(/Cannot use --auth-token: /);
    expect(String(refusal)).not.toContain("hunter2");
  });
});
