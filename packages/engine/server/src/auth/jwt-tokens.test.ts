import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { SignJWT } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import { JwtTokens } from "./jwt-tokens.ts";
import type { JwtAlgorithm, JwtKeys } from "./token-options.ts";

const ttlSec = 60;
const ann = { username: "ann", authRevision: 7 };

/** New keys for an algorithm. */
function keysFor(algorithm: JwtAlgorithm): JwtKeys & { readonly signKey: NonNullable<JwtKeys["signKey"]> } {
  if (algorithm.startsWith("HS")) {
    const secret = randomBytes(64);
    return { algorithm, verifyKey: secret, signKey: secret, ttlSec };
  }
  const curves: Partial<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };
  const namedCurve = curves[algorithm];
  const { publicKey, privateKey } =
    algorithm === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : namedCurve === undefined
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve });
  return { algorithm, verifyKey: publicKey, signKey: privateKey, ttlSec };
}

let time: VirtualTime;
beforeEach(() => {
  time = virtualTime();
});

const algorithms: readonly JwtAlgorithm[] = [
  ...(["RS", "PS", "ES", "HS"] as const).flatMap((family) =>
    (["256", "384", "512"] as const).map((bits) => `${family}${bits}` as const),
  ),
  "EdDSA",
];

describe.each(algorithms)("JwtTokens with %s", (algorithm) => {
  const keys = keysFor(algorithm);
  const foreign = keysFor(algorithm);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const nowSec = () => Math.floor(time.wallMs() / 1000);
  const claims = () => ({ username: "ann", revision: 7, exp: nowSec() + ttlSec });
  const sign = (more: object = {}, { alg = algorithm as string, key = keys.signKey } = {}) =>
    new SignJWT({ ...claims(), ...more }).setProtectedHeader({ alg }).sign(key);

  test("gives out what it verifies, for so long as it says", async () => {
    const tokens = new JwtTokens(keys, time);
    const token = (await tokens.issue(ann)) ?? "";
    expect(await tokens.verify(token)).toEqual(ann);
    await time.advance((ttlSec - 1) * 1000);
    expect(await tokens.verify(token)).toEqual(ann);
    expect(await new JwtTokens(keys, time).verify(token)).toEqual(ann);
    await time.advance(1_000);
    expect(await tokens.verify(token)).toBeUndefined();
    expect(await new JwtTokens(keys, time).verify(token)).toBeUndefined();
  });

  test("verifies without a key to sign, but gives out none", async () => {
    const { signKey: _, ...publicOnly } = keys;
    const tokens = new JwtTokens(publicOnly, time);
    expect(await tokens.issue(ann)).toBeUndefined();
    expect(await tokens.verify(await sign())).toEqual(ann);
  });

  const other: JwtAlgorithm = algorithm.startsWith("RS") ? "PS256" : "RS256";
  const forged: readonly (readonly [title: string, forge: () => string | Promise<string>])[] = [
    ["of a foreign key", () => sign({}, { key: foreign.signKey })],
    ["of another algorithm", () => sign({}, { alg: other, key: keysFor(other).signKey })],
    ["without a signature, alg none", () => `${part({ alg: "none" })}.${part(claims())}.`],
    ["without a signature", async () => (await sign()).replace(/[^.]*$/, "")],
    [
      "with a changed payload",
      async () => {
        const [head = "", , signature = ""] = (await sign()).split(".");
        return `${head}.${part({ ...claims(), username: "root" })}.${signature}`;
      },
    ],
    [
      "with a changed header",
      async () => {
        const [, ...rest] = (await sign()).split(".");
        return [part({ alg: algorithm, kid: "x" }), ...rest].join(".");
      },
    ],
    ["that has expired", () => sign({ exp: nowSec() - 1 })],
    ["without an end", () => sign({ exp: undefined })],
    ["that is not valid yet", () => sign({ nbf: nowSec() + 10 })],
    ["without a user", () => sign({ username: undefined })],
    ["whose user is no text", () => sign({ username: { name: "root" } })],
    ["without a revision", () => sign({ revision: undefined })],
    ["of revision 0", () => sign({ revision: 0 })],
    ["of half a revision", () => sign({ revision: 1.5 })],
    ["that is nothing", () => ""],
    ["that is a simple one", () => "abcdefghijklmnop.5"],
  ];
  test.each(forged)("takes none %s", async (_title, forge) => {
    expect(await new JwtTokens(keys, time).verify(await forge())).toBeUndefined();
  });
});

test("a public key is no shared secret", async () => {
  const keys = keysFor("RS256");
  const pem = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "pem" });
  const token = await new SignJWT({ username: "root", revision: 1, exp: 9_999_999_999 })
    .setProtectedHeader({ alg: "HS256" })
    .sign(Buffer.from(pem));
  expect(await new JwtTokens(keys, time).verify(token)).toBeUndefined();
});

test("good tokens are kept in mind, a thousand of them, and answered at once", async () => {
  const tokens = new JwtTokens(keysFor("HS256"), time);
  const [first = "", ...more] = await Promise.all(
    Array.from(
      { length: 1_001 },
      async (_, at) => (await tokens.issue({ username: `user-${at}`, authRevision: 1 })) ?? "",
    ),
  );
  await tokens.verify(first);
  expect(tokens.verify(first)).toEqual({ username: "user-0", authRevision: 1 });
  for (const token of more) await tokens.verify(token);
  // Forgotten, not refused.
  expect(tokens.verify(first)).toBeInstanceOf(Promise);
  expect(await tokens.verify(first)).toEqual({ username: "user-0", authRevision: 1 });
});
