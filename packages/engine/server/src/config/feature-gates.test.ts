import { describe, expect, test } from "vitest";
import { type MemberConfig, parseMemberConfig } from "../config.ts";

const gated = (featureGates: string, more: Readonly<Record<string, unknown>> = {}): MemberConfig =>
  parseMemberConfig({ featureGates, ...more }, (option) => `--${option}`);

describe("--feature-gates", () => {
  test("sets the options that the features are", () => {
    expect(gated("InitialCorruptCheck=true, LeaseCheckpoint=false")).toMatchObject({
      initialCorruptCheck: true,
      experimentalEnableLeaseCheckpoint: false,
    });
  });

  test("lets one feature beat a stage that it belongs to, wherever it stands", () => {
    expect(gated("CompactHashCheck=false,AllAlpha=true")).toMatchObject({
      compactHashCheckEnabled: false,
      initialCorruptCheck: true,
    });
  });

  test("may be read again from a complete configuration", () => {
    const config = gated("InitialCorruptCheck=true");
    expect(parseMemberConfig({ ...config })).toEqual(config);
  });

  test.each([
    ["InitialCorruptCheck", {}, "'InitialCorruptCheck' must have the form NAME=true or NAME=false"],
    ["InitialCorruptCheck=maybe", {}, "must have the form"],
    ["NoSuchFeature=true", {}, "there is no feature 'NoSuchFeature'"],
    ["constructor=true", {}, "there is no feature 'constructor'"],
    ["InitialCorruptCheck=true", { initialCorruptCheck: "false" }, "contradicts --initialCorruptCheck"],
  ])("refuses %s beside %j", (gates, more, reason) => {
    expect(() => gated(gates, more)).toThrow(
      expect.objectContaining({
        code: "CONFIG",
        message: expect.stringMatching(
          new RegExp(`^Invalid value ${JSON.stringify(gates)} for --featureGates: .*${reason}`),
        ),
      }),
    );
  });
});
