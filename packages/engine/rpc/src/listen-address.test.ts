import { describe, expect, test } from "vitest";
import { formatListenUrl, parseListenUrl } from "./listen-address.ts";

describe("parseListenUrl()", () => {
  test.each([
    ["http://127.0.0.1:2379", { kind: "tcp", host: "127.0.0.1", port: 2379 }],
    ["http://localhost:0", { kind: "tcp", host: "localhost", port: 0 }],
    ["http://[::1]:2379", { kind: "tcp", host: "::1", port: 2379 }],
    ["unix:///run/conclave.sock", { kind: "unix", path: "/run/conclave.sock" }],
    ["unix://localhost:2379", { kind: "unix", path: "localhost:2379" }],
    ["unix://a/b", { kind: "unix", path: "a/b" }],
  ])("reads %s, and formatListenUrl() writes it", (url, address) => {
    expect(parseListenUrl(url)).toEqual(address);
    expect(formatListenUrl(parseListenUrl(url))).toBe(url);
  });

  test("takes unix: without slashes and HTTP's own port", () => {
    expect(parseListenUrl("unix:/run/a")).toEqual({ kind: "unix", path: "/run/a" });
    expect(parseListenUrl("http://a")).toEqual({ kind: "tcp", host: "a", port: 80 });
  });

  test.each([
    "",
    "localhost:2379",
    "127.0.0.1:2379",
    "ftp://a:1",
    "https://a:1",
    "http://a:1/path",
    "http://a:99999",
    "unix://",
  ])("refuses %j and names it", (url) => {
    expect(() => parseListenUrl(url)).toThrow(RangeError);
    expect(() => parseListenUrl(url)).toThrow(`"${url}"`);
  });
});
