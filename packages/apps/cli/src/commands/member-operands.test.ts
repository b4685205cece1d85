import { describe, expect, it } from "vitest";
import { CommandError, exitCodes } from "../exit.ts";
import { parsePeerUrls } from "./member-operands.ts";

describe("parsePeerUrls()", () => {
  it.each([
    ["http://a:1", ["http://a:1"]],
    ["HTTPS://a:1, http://[::1]:2", ["HTTPS://a:1", "http://[::1]:2"]],
    ["http://user:secret@a:1", ["http://user:secret@a:1"]],
    ["unix://a:1", ["unix://a:1"]],
  ])("takes %j", (text, urls) => {
    expect(parsePeerUrls(text)).toEqual(urls);
  });

  it.each([
    ["nonsense", "URL scheme must be http, https, unix, or unixs: nonsense"],
    ["http://a:1,ftp://b:1", "URL scheme must be http, https, unix, or unixs: ftp://b:1"],
    ["http://127.0.0.1", 'URL address does not have the form "host:port": http://127.0.0.1'],
    ["http://a:b", 'URL address does not have the form "host:port": http://a:b'],
    ["http://a:1/", "URL must not contain a path: http://a:1/"],
  ])("refuses %j", (text, message) => {
    expect(() => parsePeerUrls(text)).toThrow(new CommandError(exitCodes.failure, message));
  });

  it("says that there is none", () => {
    const none = new CommandError(exitCodes.badArguments, "member peer urls not provided");
    expect(() => parsePeerUrls("")).toThrow(none);
  });
});
