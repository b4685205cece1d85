import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { checkAdvertisedUrls, readInitialCluster, sameUrls, type UrlResolver } from "./initial-cluster.ts";

const own = { name: "a", peerUrls: ["http://127.0.0.1:2380"] };

function resolver(addresses: Readonly<Record<string, string>> = {}): UrlResolver {
  return {
    scheduler: virtualTime(),
    resolveHost: async (host) => addresses[host] ?? Promise.reject(new Error(`no such host ${host}`)),
  };
}

describe("readInitialCluster()", () => {
  test("reads pairs, several URLs of one name together and sorted", () => {
    const initialCluster = "a=http://127.0.0.1:2390, b=http://h:1,a=http://127.0.0.1:2380";
    expect(readInitialCluster({ ...own, initialCluster })).toEqual([
      { name: "a", peerUrls: ["http://127.0.0.1:2380", "http://127.0.0.1:2390"] },
      { name: "b", peerUrls: ["http://h:1"] },
    ]);
  });

  test("is this member alone by default", () => {
    expect(readInitialCluster({ ...own, initialCluster: "" })).toEqual([own]);
  });

  test.each([
    ["b=http://127.0.0.1:2381", "it does not name this member, 'a'"],
    ["a=http://127.0.0.1:1,b=http://127.0.0.1:1", "it has the URL http://127.0.0.1:1 twice"],
    ["a", "'a' must have the form NAME=URL"],
    ["=http://127.0.0.1:1", "'=http://127.0.0.1:1' must have the form NAME=URL"],
    ["a=http://127.0.0.1:1,", "'' must have the form NAME=URL"],
    ["a=http://127.0.0.1", 'URL http://127.0.0.1 does not have the form "host:port"'],
    ["a=127.0.0.1:1", "URL 127.0.0.1:1 must have the form http://host:port"],
    ["a=http://127.0.0.1:1/x", "URL http://127.0.0.1:1/x must not contain a path"],
  ])("refuses %j", (initialCluster, reason) => {
    const message = `Invalid value '${initialCluster}' for --initial-cluster: ${reason}`;
    expect(() => readInitialCluster({ ...own, initialCluster })).toThrow(
      expect.objectContaining({ code: "CONFIG", message }),
    );
  });

  test("shows no password that stands in a URL", () => {
    const initialCluster = "a=http://me:hunter2@127.0.0.1:1";
    expect(() => readInitialCluster({ ...own, initialCluster })).toThrow(
      "Invalid value 'a=http://…@127.0.0.1:1' for --initial-cluster: URL http://…@127.0.0.1:1 must have the form",
    );
  });
});

describe("checkAdvertisedUrls()", () => {
  test("names both values if they differ", async () => {
    const members = [{ name: "a", peerUrls: ["http://127.0.0.1:1"] }];
    await expect(checkAdvertisedUrls(members, own, resolver())).rejects.toMatchObject({
      code: "CONFIG",
      message:
        "--initial-cluster has http://127.0.0.1:1 for this member, but --initial-advertise-peer-urls is http://127.0.0.1:2380",
    });
  });

  test("takes a host name for its address", async () => {
    const members = [{ name: "a", peerUrls: ["http://node-a:2380"] }];
    await checkAdvertisedUrls(members, own, resolver({ "node-a": "127.0.0.1" }));
  });
});

describe("sameUrls()", () => {
  test("does not look at the order", async () => {
    expect(await sameUrls(["http://x:1", "http://y:1"], ["http://y:1", "http://x:1"], resolver())).toBe(true);
  });

  test("tells ports, schemes and numbers of URLs apart", async () => {
    const hosts = resolver({ x: "10.0.0.1" });
    expect(await sameUrls(["http://x:1"], ["http://10.0.0.1:2"], hosts)).toBe(false);
    expect(await sameUrls(["http://x:1"], ["https://10.0.0.1:1"], hosts)).toBe(false);
    expect(await sameUrls(["http://x:1"], ["http://x:1", "http://y:1"], hosts)).toBe(false);
  });

  // etcd: "resolved urls: "http://localhost:23800" != "http://127.0.0.1:23800"".
  test("does not look localhost up, as etcd does not", async () => {
    expect(await sameUrls(["http://localhost:1"], ["http://127.0.0.1:1"], resolver({ localhost: "127.0.0.1" }))).toBe(
      false,
    );
  });

  test("tries again while a name is not known, for half a minute", async () => {
    const time = virtualTime();
    let asked = 0;
    const late: UrlResolver = {
      scheduler: time,
      resolveHost: async () => (++asked < 5 ? Promise.reject(new Error("not yet")) : "10.0.0.1"),
    };
    expect(await time.complete(sameUrls(["http://late:1"], ["http://10.0.0.1:1"], late))).toBe(true);
    expect(time.monotonicMs()).toBe(4000);

    const never = sameUrls(["http://never:1"], ["http://10.0.0.1:1"], { ...resolver(), scheduler: time });
    await expect(time.complete(never)).rejects.toMatchObject({
      code: "CONFIG",
      message: "Cannot find the host of peer URL http://never:1: no such host never",
    });
    expect(time.monotonicMs()).toBe(33_000);
  });
});
