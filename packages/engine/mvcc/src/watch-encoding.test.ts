import { concatBytes, hex } from "@conclave/base";
import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { expect, test } from "vitest";
import { watchLab } from "./testing/watch-lab.ts";
import { encodeWatchResponse } from "./watch-encoding.ts";

test("the bytes are those of the generated codec, for every kind of response", () => {
  const lab = watchLab({ fragmentBytes: 60 });
  const client = lab.open();
  client.create({ key: "k", prefix: true, prev: true, fragment: true });
  client.create({ key: "k", prefix: true, id: -5 });
  client.create({ key: "k", end: "a" });
  lab.putAll(["k1", "k2", "k3"], "a value");
  lab.delete("k1", "k3");
  lab.compact(3);
  client.create({ key: "k", start: 1, id: 2n ** 62n });
  lab.sync();
  client.stream.requestProgress();
  client.stream.cancel(0n);

  expect(client.responses.length).toBeGreaterThan(10);
  for (const response of client.responses) {
    expect(hex(concatBytes(encodeWatchResponse(response)))).toBe(hex(WatchResponse.encode(response).finish()));
  }
});

test("ids of every length are encoded, also those that only a client chooses", () => {
  const lab = watchLab();
  const client = lab.open();
  const ids = [0n, 1n, 127n, 128n, 16_383n, 16_384n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
  for (const id of ids) client.create({ key: "k", id });
  client.responses.length = 0;
  lab.put("k", "value");
  expect(client.responses.map(({ watchId }) => watchId)).toEqual(ids);
  for (const response of client.responses) {
    expect(hex(concatBytes(encodeWatchResponse(response)))).toBe(hex(WatchResponse.encode(response).finish()));
  }
});

test("watchers of one range share their events, and so do ranges that hold the whole commit", () => {
  const lab = watchLab();
  const client = lab.open();
  client.create({ key: "k", prefix: true });
  client.create({ key: "k", prefix: true });
  client.create({ key: "a", end: "z" });
  client.create({ key: "k", prefix: true, prev: true });
  client.create({ key: "k1" });
  client.responses.length = 0;
  lab.putAll(["k1", "k2"]);

  const [first, second, wider, previous, single] = [0n, 1n, 2n, 3n, 4n].map(
    (id) => client.responses.find(({ watchId }) => watchId === id)?.events,
  );
  expect(first).toHaveLength(2);
  expect(second).toBe(first);
  expect(wider).toBe(first);
  expect(previous).not.toBe(first);
  expect(single).toHaveLength(1);
});
