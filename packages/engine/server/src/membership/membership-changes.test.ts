import { emptyBytes, utf8 } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import type { ConfChange } from "@conclave/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { type ClusterMember, createMembership, formatMember, formatPromotion, type Membership } from "./membership.ts";
import { applyMembershipChange } from "./membership-changes.ts";

function member(id: bigint, more: Partial<ClusterMember> = {}): ClusterMember {
  return { id, name: "", peerUrls: [`http://m${id}:1`], clientUrls: [], isLearner: false, ...more };
}

function change(type: ConfChange["type"], nodeId: bigint, context = ""): ConfChange {
  return { id: 7n, type, nodeId, context: context === "" ? emptyBytes : utf8(context) };
}

const add = (added: ClusterMember) =>
  change(added.isLearner ? "addLearnerNode" : "addNode", added.id, formatMember(added));
const promote = (id: bigint) => change("addNode", id, formatPromotion(id));
const update = (updated: ClusterMember) => change("updateNode", updated.id, formatMember(updated));

let membership: Membership;
beforeEach(() => {
  membership = createMembership(createMemoryBackend());
  membership.add(member(1n, { name: "one", clientUrls: ["http://m1:2"] }));
  membership.add(member(2n));
});

describe("applyMembershipChange() carries out", () => {
  test("the addition of a voter", () => {
    const added = member(3n);
    expect(applyMembershipChange(add(added), membership)).toEqual({
      effective: add(added),
      delta: { kind: "added", member: added },
    });
    expect(membership.member(3n)).toEqual(added);
  });

  test("a founder's entry, which has its name", () => {
    applyMembershipChange(add(member(3n, { name: "three" })), membership);
    expect(membership.member(3n)?.name).toBe("three");
  });

  test("the addition and promotion of a learner, which keeps what it published", () => {
    applyMembershipChange(add(member(3n, { isLearner: true })), membership);
    membership.setAttributes(3n, { name: "three", clientUrls: ["http://m3:2"] });
    expect(applyMembershipChange(promote(3n), membership).delta).toEqual({ kind: "promoted", id: 3n });
    expect(membership.member(3n)).toEqual(member(3n, { name: "three", clientUrls: ["http://m3:2"] }));
  });

  test("an update of peer URLs, which keeps everything else", () => {
    const updated = member(1n, { peerUrls: ["http://new:1"] });
    const delta = { kind: "updated", id: 1n, peerUrls: ["http://new:1"] };
    expect(applyMembershipChange(update(updated), membership).delta).toEqual(delta);
    expect(membership.member(1n)).toEqual({ ...updated, name: "one", clientUrls: ["http://m1:2"] });
  });

  test("a removal", () => {
    expect(applyMembershipChange(change("removeNode", 2n), membership).delta).toEqual({ kind: "removed", id: 2n });
    expect(membership.member(2n)).toBeUndefined();
    expect(membership.wasRemoved(2n)).toBe(true);
  });
});

describe("applyMembershipChange() refuses", () => {
  beforeEach(() => {
    membership.add(member(3n, { isLearner: true }));
    membership.add(member(9n));
    membership.remove(9n);
  });

  test.each<[string, ConfChange, string]>([
    ["what was removed to come back", add(member(9n)), "MemberNotFound"],
    ["what was removed to be removed", change("removeNode", 9n), "MemberNotFound"],
    ["to remove what is unknown", change("removeNode", 5n), "MemberNotFound"],
    ["to update what is unknown", update(member(5n)), "MemberNotFound"],
    ["to promote what is unknown", promote(5n), "MemberNotFound"],
    ["to promote a voter", promote(1n), "MemberNotLearner"],
    ["an id that is taken", add(member(1n, { peerUrls: ["http://free:1"] })), "MemberExist"],
    ["a peer URL that is taken", add(member(5n, { peerUrls: ["http://free:1", "http://m2:1"] })), "PeerURLExist"],
    ["to update to a peer URL that is taken", update(member(1n, { peerUrls: ["http://m2:1"] })), "PeerURLExist"],
    ["a learner too many", add(member(5n, { isLearner: true })), "TooManyLearners"],
  ])("%s", (_, refused, code) => {
    const before = membership.members();
    const { effective, error, delta } = applyMembershipChange(refused, membership);
    expect(error?.code).toBe(code);
    expect(effective).toEqual({ ...refused, nodeId: 0n });
    expect(delta).toBeUndefined();
    expect(membership.members()).toEqual(before);
  });

  test("no second learner where two are allowed", () => {
    const second = add(member(5n, { isLearner: true }));
    expect(applyMembershipChange(second, membership, { maxLearners: 2 }).error).toBeUndefined();
  });

  test("no update of a member to the URLs it has", () => {
    expect(applyMembershipChange(update(member(1n)), membership).error).toBeUndefined();
  });
});
