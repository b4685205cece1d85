/** @module The flag `--auth-token`: `simple`, or `jwt` with its options, read into keys. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { errors, jwtVerify, SignJWT } from "jose";
import { MemberError } from "../member-error.ts";

/** How JSON web tokens are signed and verified. */
export interface JwtKeys {
  /** The algorithm of the signature; a token that names another is none. */
  readonly algorithm: JwtAlgorithm;
  /** Verifies. */
  readonly verifyKey: KeyObject | Uint8Array;
  /** Signs; absent where the tokens come from elsewhere. */
  readonly signKey?: KeyObject | Uint8Array;
  /** Life of a token, in seconds. */
  readonly ttlSec: number;
}

/** An algorithm of RFC 7518 that signs with the private key of a pair, or with a shared secret. */
export type JwtAlgorithm = `${"RS" | "PS" | "ES" | "HS"}${"256" | "384" | "512"}` | "EdDSA";

const families = ["RS", "PS", "ES", "HS"] as const;
const algorithms: readonly JwtAlgorithm[] = [
  ...families.flatMap((family) => [`${family}256`, `${family}384`, `${family}512`] as const),
  "EdDSA",
];
const optionNames: ReadonlySet<string> = new Set(["sign-method", "pub-key", "priv-key", "ttl"]);
const defaultTtlSec = 300;
const unitSec: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

function refuse(why: string, cause?: unknown): MemberError {
  return new MemberError("CONFIG", `Cannot use --auth-token: ${why}`, { cause });
}

/**
 * Reads the flag.
 *
 * @returns the keys, or undefined for simple tokens
 * @throws MemberError `CONFIG`
 */
export async function readTokenOptions(flag: string): Promise<JwtKeys | undefined> {
  const [kind, ...pairs] = flag.split(",");
  if (kind === "simple") return undefined;
  if (kind !== "jwt") throw refuse('it must be "simple" or "jwt,sign-method=…"');
  const options = parseOptions(pairs);
  const algorithm = algorithms.find((name) => name === options.get("sign-method"));
  if (algorithm === undefined) throw refuse(`sign-method must be one of ${algorithms.join(", ")}`);
  const ttlSec = parseTtlSec(options.get("ttl"));
  const [publicPem, privatePem] = await Promise.all([
    readKey(options.get("pub-key")),
    readKey(options.get("priv-key")),
  ]);
  try {
    const keys = { algorithm, ttlSec, ...keysOf(algorithm, publicPem, privatePem) };
    await tryOut(keys);
    return keys;
  } catch (cause) {
    throw cause instanceof MemberError ? cause : refuse(`a key does not fit ${algorithm}`);
  }
}

/**
 * Uses the keys once: a wrong kind, curve or size, or two keys that are no pair, would otherwise refuse every login, or
 * every token.
 *
 * @throws Error if they do not fit
 */
async function tryOut({ algorithm, signKey, verifyKey }: Pick<JwtKeys, "algorithm" | "signKey" | "verifyKey">) {
  const header = { alg: algorithm };
  const unsigned = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.e30.AAAA`;
  const token = signKey === undefined ? unsigned : await new SignJWT().setProtectedHeader(header).sign(signKey);
  try {
    await jwtVerify(token, verifyKey, { algorithms: [algorithm] });
  } catch (error) {
    const isForeign = error instanceof errors.JWSSignatureVerificationFailed;
    if (!isForeign) throw error;
    if (signKey !== undefined) throw refuse("pub-key is not the one of priv-key");
  }
}

function parseOptions(pairs: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, at));
    if (!optionNames.has(name)) throw refuse(`jwt has the options ${[...optionNames].join(", ")}, each as NAME=VALUE`);
    if (options.has(name)) throw refuse(`${name} is given twice`);
    options.set(name, pair.slice(at + 1));
  }
  return options;
}

function parseTtlSec(text: string | undefined): number {
  if (text === undefined) return defaultTtlSec;
  if (!/^(\d+(h|m|s))+$/.test(text)) throw refuse("ttl must be a duration like 10m");
  let totalSec = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+)(h|m|s)/g)) totalSec += Number(amount) * (unitSec[unit] ?? 0);
  if (totalSec <= 0) throw refuse("ttl must be longer than nothing");
  return totalSec;
}

async function readKey(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw refuse(`cannot read the key file '${path}'`, cause);
  }
}

function keysOf(
  algorithm: JwtAlgorithm,
  publicPem: Buffer | undefined,
  privatePem: Buffer | undefined,
): Pick<JwtKeys, "verifyKey" | "signKey"> {
  if (algorithm.startsWith("HS")) {
    if (privatePem === undefined || privatePem.length === 0) throw refuse("priv-key must name the shared secret");
    return { verifyKey: privatePem, signKey: privatePem };
  }
  const source = publicPem ?? privatePem;
  if (source === undefined) throw refuse("pub-key or priv-key must be given");
  const verifyKey = createPublicKey(source);
  return privatePem === undefined ? { verifyKey } : { verifyKey, signKey: createPrivateKey(privatePem) };
}
