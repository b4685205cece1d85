/**
 * @module Errors of the protocol between members. Inside a server etcd words some of them otherwise than for clients,
 * and over the peer endpoints they travel in those words, with a status of HTTP.
 */
import { type WireError, type WireErrorName, wireErrorName, wireErrors } from "@conclave/protocol";

/** The words that are not just the client's without the prefix. */
const internalTexts: Readonly<Partial<Record<WireErrorName, string>>> = {
  MemberNotFound: "membership: ID not found",
  MemberNotLearner: "membership: can only promote a learner member",
  LearnerNotReady: wireErrors.LearnerNotReady.text,
  LeaseNotFound: "lease not found",
  Timeout: "waiting for node to catch up its applied index has timed out",
};

const statuses: Readonly<Partial<Record<WireErrorName, number>>> = {
  MemberNotFound: 404,
  MemberNotLearner: 412,
  LearnerNotReady: 412,
  Compacted: 400,
  FutureRev: 400,
};

/** The statuses of the lease endpoints; any other error there is a 400. */
export const leaseStatuses: Readonly<Partial<Record<WireErrorName, number>>> = { LeaseNotFound: 404, Timeout: 408 };

/** What members say to those they do not talk to at all; no answer to the call. */
const refusals: ReadonlySet<string> = new Set(["cluster ID mismatch", "incompatible version"]);

const prefix = "etcdserver: ";

/** Whether an error is one of the protocol. */
export function isWireError(error: unknown): error is WireError {
  return error instanceof Error && error.name === "WireError";
}

/** The status for an error of a call about members or hashes. */
export function statusOf(code: WireErrorName): number {
  return statuses[code] ?? 500;
}

/** The words for an error between members. */
export function internalText(code: WireErrorName): string {
  const { text } = wireErrors[code];
  return internalTexts[code] ?? (text.startsWith(prefix) ? text.slice(prefix.length) : text);
}

const byInternalText: ReadonlyMap<string, WireErrorName> = new Map(
  Object.entries(internalTexts).map(([code, text]) => [text, code as WireErrorName]),
);

/** The error that an answer of another member tells of; undefined if it is none of the protocol's. */
export function errorOfReply(reply: {
  readonly path: string;
  readonly status: number;
  readonly text: string;
}): WireErrorName | undefined {
  const { path, status, text } = reply;
  if (refusals.has(text)) return undefined;
  if (path.startsWith("/leases") && status === leaseStatuses.LeaseNotFound) return "LeaseNotFound";
  if (path.startsWith("/leases") && status === leaseStatuses.Timeout) return "Timeout";
  return byInternalText.get(text) ?? wireErrorName(text) ?? wireErrorName(`${prefix}${text}`);
}
