/** @module The configuration file: YAML whose keys are the names of flags, with etcd's sections for TLS and the like. */
import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { fields, type OptionKey } from "../config.ts";
import { MemberError } from "../member-error.ts";
import { judgeRetired } from "./leftovers.ts";
import { optionOfFlag } from "./option-names.ts";

/** What an option was given, with the name under which the operator knows it. */
export interface GivenOption {
  readonly value: unknown;
  readonly source: string;
}

/** What a configuration file says. */
export interface FileContents {
  readonly given: ReadonlyMap<OptionKey, GivenOption>;
  readonly warnings: readonly string[];
}

/** Options that etcd's configuration file has in sections. */
const sections: Readonly<Record<string, Readonly<Record<string, OptionKey>>>> = {
  "client-transport-security": {
    "cert-file": "certFile",
    "key-file": "keyFile",
    "client-cert-file": "clientCertFile",
    "client-key-file": "clientKeyFile",
    "client-cert-auth": "clientCertAuth",
    "trusted-ca-file": "trustedCaFile",
    "auto-tls": "autoTls",
    "crl-file": "clientCrlFile",
    "allowed-hostname": "clientCertAllowedHostname",
  },
  "peer-transport-security": {
    "cert-file": "peerCertFile",
    "key-file": "peerKeyFile",
    "client-cert-file": "peerClientCertFile",
    "client-key-file": "peerClientKeyFile",
    "client-cert-auth": "peerClientCertAuth",
    "trusted-ca-file": "peerTrustedCaFile",
    "auto-tls": "peerAutoTls",
    "crl-file": "peerCrlFile",
    "allowed-cn": "peerCertAllowedCn",
    "allowed-hostname": "peerCertAllowedHostname",
    "skip-client-san-verification": "peerSkipClientSanVerification",
  },
  "socket-options": { "reuse-port": "socketReusePort", "reuse-address": "socketReuseAddress" },
};

/**
 * Reads a configuration file.
 *
 * @throws MemberError `CONFIG` if it cannot be read, is no mapping, or names what is no option
 */
export function readConfigFile(path: string): FileContents {
  const given = new Map<OptionKey, GivenOption>();
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(readMapping(path))) {
    const section = Object.hasOwn(sections, name) ? sections[name] : undefined;
    if (section !== undefined) readSection({ path, name, section, value }, given);
    else if (value !== null) readOption({ path, name, value }, given, warnings);
  }
  return { given, warnings };
}

function readMapping(path: string): Readonly<Record<string, unknown>> {
  const fault = (reason: string, cause?: unknown): MemberError =>
    new MemberError("CONFIG", `Cannot read the configuration file '${path}': ${reason}`, { cause });
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    throw fault((error as Error).message.split("\n")[0] ?? "", error);
  }
  if (document === null) return {};
  if (!isMapping(document)) throw fault("it must hold a mapping of options to values");
  return document;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Entry {
  readonly path: string;
  readonly name: string;
  readonly value: unknown;
}

function unknownOption({ name, path }: Pick<Entry, "name" | "path">): MemberError {
  return new MemberError("CONFIG", `Unknown option '${name}' in the configuration file '${path}'`);
}

function readOption(entry: Entry, given: Map<OptionKey, GivenOption>, warnings: string[]): void {
  const { path, name, value } = entry;
  const source = `'${name}' in ${path}`;
  const warning = judgeRetired(name, String(value), source);
  if (warning !== undefined) warnings.push(warning);
  if (warning !== undefined) return;
  const key = optionOfFlag.get(name);
  if (key === undefined) throw unknownOption(entry);
  given.set(key, { value: nativeValue(key, value), source });
}

function readSection(
  { path, name, section, value }: Entry & { readonly section: Readonly<Record<string, OptionKey>> },
  given: Map<OptionKey, GivenOption>,
): void {
  if (value === null) return;
  if (!isMapping(value)) {
    throw new MemberError("CONFIG", `Invalid value for '${name}' in ${path}: must be a mapping of options to values`);
  }
  for (const [inner, innerValue] of Object.entries(value)) {
    const fullName = `${name}.${inner}`;
    const key = Object.hasOwn(section, inner) ? section[inner] : undefined;
    if (key === undefined) throw unknownOption({ name: fullName, path });
    if (innerValue !== null)
      given.set(key, { value: nativeValue(key, innerValue), source: `'${fullName}' in ${path}` });
  }
}

/** Numbers in a list are texts that look like numbers, and bare numbers of durations count nanoseconds, as in etcd's. */
function nativeValue(key: OptionKey, value: unknown): unknown {
  if (Array.isArray(value)) return value.map(String);
  return fields[key].form === "duration" && typeof value === "number" ? `${value}ns` : value;
}
