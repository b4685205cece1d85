import { seededRandom, virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { parseEndpoint } from "./endpoint.ts";
import { EndpointPool } from "./endpoint-pool.ts";

describe("parseEndpoint()", () => {
  test.each([
    ["localhost:2379", "localhost:2379", false],
    ["http://10.0.0.1:2379", "10.0.0.1:2379", false],
    ["http://10.0.0.1:2379/", "10.0.0.1:2379", false],
    ["https://etcd.example.org:443", "etcd.example.org:443", true],
    ["[::1]:2379", "[::1]:2379", false],
    ["http://[::1]:2379", "[::1]:2379", false],
    ["unix:/run/etcd.sock", "unix:/run/etcd.sock", false],
    ["unix:///run/etcd.sock", "unix:/run/etcd.sock", false],
    ["unixs:///run/etcd.sock", "unix:/run/etcd.sock", true],
    // etcd's own way of writing a socket in the working directory.
    ["unix://localhost:23790", "unix:localhost:23790", false],
  ])("takes %s", (text, target, tls) => {
    expect(parseEndpoint(text)).toEqual({ text, target, tls });
  });

  test.each([
    "",
    "localhost",
    "localhost:",
    ":2379",
    "ftp://a:1",
    "http://a",
    "a:99999",
    "a b:1",
    "http://a:1/path",
    "::1:2379",
  ])("refuses %j and shows it", (text) => {
    expect(() => parseEndpoint(text)).toThrow(`received ${JSON.stringify(text)}`);
  });
});

describe("EndpointPool", () => {
  const pool = (endpoints: readonly string[], seed = 1) => {
    const time = virtualTime(seed);
    return { time, pool: new EndpointPool(endpoints, { clock: time, random: time.random }) };
  };

  test("draws the first endpoint, so that clients spread over members", () => {
    const first = Array.from({ length: 30 }, (_, seed) => {
      const random = seededRandom(seed);
      return new EndpointPool(["a", "b", "c"], { clock: virtualTime(), random }).pick();
    });
    expect(new Set(first)).toEqual(new Set(["a", "b", "c"]));
  });

  test("stays with an endpoint until it fails, then takes every other one before it comes back", () => {
    const { pool: endpoints } = pool(["a", "b", "c"]);
    const seen = [endpoints.pick(), endpoints.pick()];
    expect(seen[0]).toBe(seen[1]);
    for (let n = 0; n < 2; n++) {
      endpoints.failed(endpoints.pick());
      seen.push(endpoints.pick());
    }
    expect(new Set(seen).size).toBe(3);
  });

  test("passes a failing endpoint over for longer every time, but not for ever", async () => {
    const { pool: endpoints, time } = pool(["a", "b"]);
    endpoints.failed("a");
    expect(endpoints.pick()).toBe("b");
    for (let n = 0; n < 20; n++) endpoints.failed("b");
    expect(endpoints.pick()).toBe("a");
    endpoints.failed("a");
    await time.advance(1_000);
    expect(endpoints.pick()).toBe("a");
    for (let n = 0; n < 20; n++) endpoints.failed("a");
    await time.advance(15_000);
    endpoints.failed("a");
    expect(endpoints.pick()).toBe("b");
  });

  test("forgets failures after a success", () => {
    const { pool: endpoints } = pool(["a", "b"]);
    endpoints.failed("a");
    endpoints.succeeded("a");
    endpoints.failed("b");
    expect(endpoints.pick()).toBe("a");
  });

  test("with all failing takes the one that is passed over for the shortest", () => {
    const { pool: endpoints } = pool(["a", "b", "c"]);
    for (const [endpoint, failures] of [
      ["a", 5],
      ["b", 1],
      ["c", 8],
    ] as const)
      for (let n = 0; n < failures; n++) endpoints.failed(endpoint);
    expect(endpoints.pick()).toBe("b");
  });

  test("ignores what is said of an endpoint that is not its own", () => {
    const { pool: endpoints } = pool(["a"]);
    endpoints.failed("z");
    endpoints.succeeded("z");
    expect(endpoints.all).toEqual(["a"]);
    expect(endpoints.size).toBe(1);
  });
});
