import { utf8 } from "@conclave/base";
import { expect, test } from "vitest";
import { coordinationLab } from "../testing/coordination-lab.ts";
import { watchFrom } from "./queue-requests.ts";
import { watchResponses } from "./watch-responses.ts";

function watched(keys: readonly string[], revision = 0) {
  const lab = coordinationLab();
  const controller = new AbortController();
  const requests = keys.map((key) => watchFrom(utf8(key), revision));
  const responses = watchResponses(lab.hub, requests, controller.signal);
  return { lab, controller, responses };
}

test("responses with events come in order, from all watchers", async () => {
  const { lab, responses } = watched(["a", "b"]);
  const first = responses.next();
  lab.put("b");
  lab.put("a");
  const revisions = [await first, await responses.next()].map(({ value }) => value?.events[0]?.modRevision);
  expect(revisions).toEqual([2, 3]);
});

test("whoever takes nothing for a while misses nothing, and keeps no more than a few responses", async () => {
  const { lab, responses } = watched(["a"]);
  const first = responses.next();
  for (let index = 0; index < 100; index++) lab.put("a");
  lab.hub.publish();
  expect(lab.hub.stats.slowWatchers).toBe(1);
  const seen = ((await first).value?.events ?? []).map(({ modRevision }) => modRevision);
  while (seen.length < 100) {
    const { value } = await responses.next();
    seen.push(...(value?.events ?? []).map(({ modRevision }) => modRevision));
  }
  expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index + 2));
});

test("it ends when what comes next has been compacted", async () => {
  const { lab, responses } = watched(["a"], 2);
  for (let index = 0; index < 5; index++) lab.put("a");
  lab.store.compact(5);
  expect(await responses.next()).toEqual({ done: true, value: undefined });
  expect(lab.hub.stats.streams).toBe(0);
});

test.each(["before", "while"] as const)(
  "it throws the reason of a signal that is aborted %s it waits",
  async (when) => {
    const { lab, controller, responses } = watched(["a"]);
    if (when === "before") controller.abort(new Error("enough"));
    const next = responses.next();
    controller.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    expect(lab.hub.stats.streams).toBe(0);
  },
);

test("leaving it closes its stream", async () => {
  const { lab, responses } = watched(["a"]);
  const first = responses.next();
  lab.put("a");
  await first;
  expect(lab.hub.stats.streams).toBe(1);
  await responses.return();
  expect(lab.hub.stats.streams).toBe(0);
});
