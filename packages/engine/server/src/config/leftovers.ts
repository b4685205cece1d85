/**
 * @module Options of older versions of etcd that this one has no place for. They are refused rather than ignored, as a
 * member without them would do something else than its operator expects; each refusal names today's way.
 */
import { MemberError } from "../member-error.ts";
import type { FieldForm } from "./field.ts";

/** An option of an older version. */
interface Leftover {
  readonly form: FieldForm;
  /** What to do today. */
  readonly today: string;
  /** Values that ask for nothing; they are ignored with a warning. Default: none does. */
  readonly harmless?: readonly string[];
}

const v2Discovery = "use --discovery-token and --discovery-endpoints, or --discovery-srv";
const proxy: Omit<Leftover, "harmless"> = {
  form: "value",
  today: "use 'conclave grpc-proxy start' or 'conclave gateway start'",
};
const v2Api: Leftover = {
  form: "toggle",
  today: "the v2 API is gone; use the v3 API and migrate v2 data with etcd 3.4 first",
  harmless: ["false"],
};
const logLevels = "use --log-level";

/** Options of etcd 3.x that etcd itself has dropped. */
const retired: Readonly<Record<string, Leftover>> = {
  discovery: { form: "value", today: v2Discovery, harmless: [""] },
  "discovery-proxy": { form: "value", today: v2Discovery, harmless: [""] },
  "discovery-fallback": { form: "value", today: `only 'exit' is left; ${proxy.today}`, harmless: ["", "exit"] },
  proxy: { ...proxy, harmless: ["", "off"] },
  "proxy-failure-wait": { ...proxy, harmless: ["5000"] },
  "proxy-refresh-interval": { ...proxy, harmless: ["30000"] },
  "proxy-dial-timeout": { ...proxy, harmless: ["1000"] },
  "proxy-write-timeout": { ...proxy, harmless: ["5000"] },
  "proxy-read-timeout": { ...proxy, harmless: ["0"] },
  "enable-v2": v2Api,
  "experimental-enable-v2v3": { ...v2Api, form: "value", harmless: [""] },
  debug: { form: "toggle", today: "use --log-level=debug", harmless: ["false"] },
  "log-package-levels": { form: "value", today: logLevels, harmless: [""] },
};

const clientUrls = "use --listen-client-urls and --advertise-client-urls";
const peerUrls = "use --listen-peer-urls and --initial-advertise-peer-urls";
const members = "use --initial-cluster";
const timing = "use --heartbeat-interval and --election-timeout";
const changes = "change the membership with 'conclavectl member'";

/** Flags of etcd 0.x and 2.x, and what to do today. */
const ancient: Readonly<Record<string, string>> = {
  addr: clientUrls,
  "bind-addr": clientUrls,
  "peer-addr": peerUrls,
  "peer-bind-addr": peerUrls,
  peers: members,
  "peers-file": members,
  "ca-file": "use --trusted-ca-file and --client-cert-auth",
  "peer-ca-file": "use --peer-trusted-ca-file and --peer-client-cert-auth",
  config: "use --config-file",
  "cluster-active-size": changes,
  "cluster-remove-delay": changes,
  "cluster-sync-interval": changes,
  "max-cluster-size": changes,
  "peer-heartbeat-interval": timing,
  "peer-election-timeout": timing,
  "max-retry-attempts": members,
  "retry-interval": members,
  "max-result-buffer": "use the v3 API, which keeps history until it is compacted",
  snapshot: "use --snapshot-count",
  force: "use --force-new-cluster, or remove the data directory",
  f: "use --force-new-cluster, or remove the data directory",
  "graphite-host": "have /metrics collected",
  "cpu-profile": "start with NODE_OPTIONS=--cpu-prof",
  "http-read-timeout": "use --grpc-keepalive-timeout",
  "http-write-timeout": "use --grpc-keepalive-timeout",
  strTrace: logLevels,
  v: logLevels,
  vv: logLevels,
};

/** Names of the options of etcd 3.x that are refused, or ignored where they ask for nothing. */
export const retiredFlags: readonly string[] = Object.keys(retired);

/** What to do today instead of an option. */
export interface Advice {
  /** The name of its flag. */
  readonly name: string;
  /** What to do. */
  readonly today: string;
  /** Values that ask for nothing. */
  readonly harmless: readonly string[];
}

/** Advice for every option of etcd 3.x that etcd itself has dropped. */
export const retiredAdvice: readonly Advice[] = Object.entries(retired).map(([name, { today, harmless = [] }]) => {
  return { name, today, harmless };
});

/** Advice for every flag of etcd 0.x and 2.x that is refused. */
export const ancientAdvice: readonly Advice[] = Object.entries(ancient).map(([name, today]) => {
  return { name, today, harmless: [] };
});

/**
 * How a flag of an older version is written.
 *
 * @returns undefined if it is none
 * @throws MemberError `CONFIG` if it is of etcd 0.x or 2.x: those have no value that asks for nothing
 */
export function leftoverForm(name: string): FieldForm | undefined {
  const today = Object.hasOwn(ancient, name) ? ancient[name] : undefined;
  if (today !== undefined) throw new MemberError("CONFIG", `Flag -${name} is of an old etcd: ${today}`);
  return Object.hasOwn(retired, name) ? retired[name]?.form : undefined;
}

/**
 * Judges an option of etcd 3.x that etcd itself has dropped.
 *
 * @param name - its name
 * @param value - its value
 * @param source - the name under which whoever gave it knows it
 * @returns a warning if the value asks for nothing; undefined if there is no such option
 * @throws MemberError `CONFIG` otherwise, with today's way
 */
export function judgeRetired(name: string, value: string, source: string): string | undefined {
  const leftover = Object.hasOwn(retired, name) ? retired[name] : undefined;
  if (leftover === undefined) return undefined;
  if (leftover.harmless?.includes(value)) return `${source} has no effect: ${leftover.today}`;
  throw new MemberError(
    "CONFIG",
    `Invalid value ${JSON.stringify(value)} for ${source}: etcd has dropped it; ${leftover.today}`,
  );
}
