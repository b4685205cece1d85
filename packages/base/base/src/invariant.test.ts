import { afterEach, describe, expect, it } from "vitest";
import { InvariantError, invariant, setVerifying, verify } from "./invariant.ts";

describe("invariant()", () => {
  it("passes over what holds", () => {
    expect(() => invariant(true, "applied <= commit", 1, 2)).not.toThrow();
  });

  it("throws with the rule and the operands", () => {
    const broken = () => invariant(false, "applied <= commit", 3, 2n, "x");
    expect(broken).toThrow(InvariantError);
    expect(broken).toThrow("Invariant broken: applied <= commit (3, 2, x)");
    expect(() => invariant(false, "sorted")).toThrow(/^Invariant broken: sorted$/);
  });

  it("is told apart by name", () => {
    expect(new InvariantError("x")).toMatchObject({ name: "InvariantError", message: "x" });
  });
});

describe("verify()", () => {
  afterEach(() => setVerifying(true)); // as every test run has it

  it("does not even look unless told to", () => {
    setVerifying(false);
    let looks = 0;
    const falseAndCounted = () => {
      looks++;
      return false;
    };
    verify(falseAndCounted, "key index sorted");
    expect(looks).toBe(0);
    setVerifying(true);
    expect(() => verify(falseAndCounted, "key index sorted")).toThrow("Invariant broken: key index sorted");
    expect(looks).toBe(1);
  });
});
