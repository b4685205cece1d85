import { expect, test } from "vitest";
import { type RequestRoute, timeoutError } from "./request-timeout.ts";

const wait = { startMs: 10_000, deadlineMs: 17_000 };

/** A leader (1) elected at 0 whose two followers are connected from the start. */
function route(fields: Partial<RequestRoute> = {}): RequestRoute {
  return {
    self: 1n,
    leader: 1n,
    electedMs: 1,
    electionTimeoutMs: 1000,
    voters: [1n, 2n, 3n],
    activeSince: () => 5,
    ...fields,
  };
}

test.each([
  ["everything was as it should be", route(), "etcdserver: request timed out"],
  ["there is no leader", route({ leader: 0n }), "etcdserver: request timed out"],
  [
    "the leader was elected after the request was made",
    route({ electedMs: 10_001 }),
    "etcdserver: request timed out, possibly due to previous leader failure",
  ],
  [
    "the last leader may have been lost before the request was made, as its loss takes time to show",
    route({ electedMs: 11_999 }),
    "etcdserver: request timed out, possibly due to previous leader failure",
  ],
  ["the request came long before the election", route({ electedMs: 12_000 }), "etcdserver: request timed out"],
  [
    "a leader has lost its quorum",
    route({ activeSince: () => undefined }),
    "etcdserver: request timed out, possibly due to connection lost",
  ],
  [
    "a leader has one follower of two",
    route({ activeSince: (id) => (id === 2n ? undefined : 5) }),
    "etcdserver: request timed out",
  ],
  [
    "a follower has found its leader again only after the request was made",
    route({ self: 2n, activeSince: () => 10_500 }),
    "etcdserver: request timed out, possibly due to connection lost",
  ],
])("a request that timed out while %s", (_, given, text) => {
  expect(timeoutError(wait, given).message).toBe(text);
});
