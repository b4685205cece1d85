import { describe, expect, test } from "vitest";
import type { ClusterMember } from "./membership.ts";
import { type ReconfigurationView, refusalToAdd, refusalToPromote, refusalToRemove } from "./reconfiguration.ts";

const nowMs = 100_000;
const voter = { isLearner: false };
const learner = { isLearner: true };

/** Members by their state: `up`, `new` (not started), `young` (connected for a moment), `down`, `learner`. */
function view(...states: readonly ("up" | "new" | "young" | "down" | "learner")[]): ReconfigurationView {
  const members = states.map(
    (state, at): ClusterMember => ({
      id: BigInt(at + 1),
      name: state === "new" ? "" : `m${at}`,
      peerUrls: [],
      clientUrls: [],
      isLearner: state === "learner",
    }),
  );
  const since = { up: 0, learner: 0, young: nowMs - 5000, down: undefined, new: undefined };
  const activeSince = (id: bigint): number | undefined => since[states[Number(id) - 1] ?? "down"];
  return { self: 1n, members, nowMs, activeSince: (id) => (id === 1n ? undefined : activeSince(id)) };
}

describe("refusalToAdd()", () => {
  test.each([
    ["a second member to one", view("up"), undefined],
    ["a fourth member to three", view("up", "up", "up"), undefined],
    ["a third member while the second has not started", view("up", "new"), "MemberNotEnoughStarted"],
    ["a fourth member while one has not started", view("up", "up", "new"), "MemberNotEnoughStarted"],
    ["a fourth member while one is down", view("up", "up", "down"), "Unhealthy"],
    ["a fourth member while one has been connected for 5 s only", view("up", "up", "young"), "Unhealthy"],
    ["a voter beside a learner", view("up", "up", "up", "learner"), undefined],
  ])("%s: %s", (_, cluster, refusal) => {
    expect(refusalToAdd(cluster, voter)).toBe(refusal);
  });

  test("lets a learner be added where a voter could not, if all voters are healthy", () => {
    const members = view("up", "up");
    const unstarted = { ...members, members: members.members.map((member) => ({ ...member, name: "" })) };
    expect(refusalToAdd(unstarted, voter)).toBe("MemberNotEnoughStarted");
    expect(refusalToAdd(unstarted, learner)).toBeUndefined();
    expect(refusalToAdd(view("up", "down"), learner)).toBe("Unhealthy");
  });
});

describe("refusalToRemove()", () => {
  test.each([
    ["one of three", view("up", "up", "up"), 2n, undefined],
    ["itself from three", view("up", "up", "up"), 1n, undefined],
    ["one of two", view("up", "up"), 2n, undefined],
    ["the only one", view("up"), 1n, "MemberNotEnoughStarted"],
    ["a started one of three beside one that has not", view("up", "up", "new"), 2n, "MemberNotEnoughStarted"],
    ["one that is down", view("up", "up", "down"), 3n, undefined],
    ["a healthy one of three while another is down", view("up", "up", "down"), 2n, "Unhealthy"],
    ["itself while another is down", view("up", "up", "down"), 1n, "Unhealthy"],
    ["a healthy one of five while another is down", view("up", "up", "up", "up", "down"), 2n, undefined],
    ["a learner, whatever else is down", view("up", "down", "learner"), 3n, undefined],
    ["one that nobody knows: applying it decides", view("up", "up", "up"), 9n, undefined],
  ])("%s", (_, cluster, id, refusal) => {
    expect(refusalToRemove(cluster, id)).toBe(refusal);
  });
});

describe("refusalToPromote()", () => {
  test.each([
    ["beside one voter", view("up", "learner"), undefined],
    ["beside three", view("up", "up", "up", "learner"), undefined],
    ["beside three of which one has not started", view("up", "up", "new", "learner"), undefined],
    [
      "beside four of which three have not started",
      view("up", "new", "new", "new", "learner"),
      "MemberNotEnoughStarted",
    ],
  ])("%s", (_, cluster, refusal) => {
    expect(refusalToPromote(cluster)).toBe(refusal);
  });
});
