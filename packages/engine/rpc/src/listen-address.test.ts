import { describe, expect, test } from "vitest";
import { formatListenUrl, parseListenUrl } from "./listen-address.ts";

describe("parseListenUrl()", () => {
  test.each([
    ["http://127.0.0.1:2379", { kind: "tcp", host: "127.0.0.1", port: 2379, secure: false }],
    ["http://localhost:0", { kind: "tcp", host: "localhost", port: 0, secure: false }],
    ["http://[::1]:2379", { kind: "tcp", host: "::1", port: 2379, secure: false }],
    ["unix:///run/conclave.sock", { kind: "unix", path: "/run/conclave.sock", secure: false }],
    ["unix://localhost:2379", { kind: "unix", path: "localhost:2379", secure: false }],
    ["https://127.0.0.1:2379", { kind: "tcp", host: "127.0.0.1", port: 2379, secure: true }],
    ["unixs:///run/conclave.sock", { kind: "unix", path: "/run/conclave.sock", secure: true }],
    ["unix://a/b", { kind: "unix", path: "a/b", secure: false }],
  ])("reads %s, and formatListenUrl() writes it", (url, address) => {
    expect(parseListenUrl(url)).toEqual(address);
    expect(formatListenUrl(parseListenUrl(url))).toBe(url);
  });

  test("takes unix: without slashes and the own ports of HTTP", () => {
    expect(parseListenUrl("unix:/run/a")).toEqual({ kind: "unix", path: "/run/a", secure: false });
    expect(parseListenUrl("http://a")).toEqual({ kind: "tcp", host: "a", port: 80, secure: false });
    expect(parseListenUrl("https://a")).toEqual({ kind: "tcp", host: "a", port: 443, secure: true });
  });

  test.each([
    "",
    "localhost:2379",
    "127.0.0.1:2379",
    "ftp://a:1",
    "https://a:1/path",
    "http://a:1/path",
    "http://a:99999",
    "unix://",
  ])("refuses %j and names it", (url) => {
    expect(() => parseListenUrl(url)).toThrow(RangeError);
    expect(() => parseListenUrl(url)).toThrow(`"${url}"`);
  });
});
