import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Instance, InstanceState } from "../instance.ts";
import { type Protection, ServiceView } from "./service-view.ts";

const protection: Protection = { share: 0.5, windowMs: 15_000, holdMs: 60_000 };

function instance(id: string, state: InstanceState = "up"): Instance {
  const fields = { version: "", zone: "", weight: 1, health: "passing", metadata: {} } as const;
  return { service: "orders", id, addresses: {}, state, ...fields };
}

/** A view of so many instances. */
function viewOf(count: number, options: Partial<Protection> = {}): ServiceView<Instance["metadata"]> {
  const view = new ServiceView<Instance["metadata"]>({ ...protection, ...options });
  for (let at = 0; at < count; at++) view.put(`${at}`, instance(`${at}`));
  return view;
}
const shown = (view: ServiceView<Instance["metadata"]>): string => view.instances.map(({ id }) => id).join("");
const heldOf = (view: ServiceView<Instance["metadata"]>): string => view.held.map(({ id }) => id).join("");

describe("what vanishes without having said that it leaves", () => {
  test("leaves at once while it is little", () => {
    const view = viewOf(4);
    expect(view.delete("0", 0).map(({ type }) => type)).toEqual(["removed"]);
    expect(view.delete("1", 1).map(({ type }) => type)).toEqual(["removed"]);
    expect(shown(view)).toBe("23");
  });

  test("is held when it is the last one", () => {
    const view = viewOf(1);
    expect(view.delete("0", 0)).toEqual([]);
    expect([shown(view), heldOf(view)]).toEqual(["0", "0"]);
  });

  test("is held with those before it when it is more than the share within the window", () => {
    const view = viewOf(5);
    for (const key of ["0", "1"]) view.delete(key, 1_000);
    expect(shown(view)).toBe("234");
    expect(view.delete("2", 2_000)).toEqual([
      { type: "added", instance: instance("0") },
      { type: "added", instance: instance("1") },
    ]);
    expect([shown(view), heldOf(view)]).toEqual(["01234", "012"]);
  });

  test("does not count with what vanished longer ago than the window", () => {
    const view = viewOf(5);
    for (const key of ["0", "1"]) view.delete(key, 0);
    view.delete("2", 15_000);
    expect(shown(view)).toBe("34");
  });

  test("is held for a bounded time only", () => {
    const view = viewOf(1);
    view.delete("0", 1_000);
    expect(view.releaseAtMs).toBe(61_000);
    expect(view.release(60_999)).toEqual([]);
    expect(view.release(61_000)).toEqual([{ type: "removed", instance: instance("0") }]);
    expect(view.isEmpty).toBe(true);
  });

  test("is itself again when it comes back, which is no change", () => {
    const view = viewOf(1);
    view.delete("0", 0);
    expect(view.put("0", instance("0"))).toEqual([]);
    expect(view.held).toEqual([]);
  });

  test("goes when others come in its place, the oldest first", () => {
    const view = viewOf(2);
    view.delete("0", 0);
    view.delete("1", 1);
    expect(view.put("8", instance("8")).map(({ type, instance: { id } }) => `${type} ${id}`)).toEqual([
      "added 8",
      "removed 0",
    ]);
    view.put("9", instance("9"));
    expect([shown(view), heldOf(view)]).toEqual(["89", ""]);
  });

  test("is let go at once where nobody is to be held", () => {
    const view = viewOf(1, { holdMs: 0 });
    expect(view.delete("0", 0).map(({ type }) => type)).toEqual(["removed"]);
  });
});

test("what said that it leaves is never held, be it all of them", () => {
  const view = viewOf(3);
  for (const key of ["0", "1", "2"]) view.put(key, instance(key, "draining"));
  for (const key of ["0", "1", "2"]) view.delete(key, 0);
  expect(view.isEmpty).toBe(true);
});

test("whatever happens: all that the store has is shown, nobody is held too long, and the changes told lead to what is shown", () => {
  const step = fc.record({
    kind: fc.constantFrom("up", "draining", "delete", "wait" as const),
    id: fc.integer({ min: 0, max: 5 }).map(String),
    ms: fc.integer({ min: 0, max: 30_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const view = viewOf(0);
      const [store, told, vanishedAtMs] = [
        new Map<string, InstanceState>(),
        new Set<string>(),
        new Map<string, number>(),
      ];
      let nowMs = 0;
      for (const { kind, id, ms } of steps) {
        nowMs += kind === "wait" ? ms : 0;
        const changes = [...view.release(nowMs)];
        if (kind === "up" || kind === "draining") {
          store.set(id, kind);
          changes.push(...view.put(id, instance(id, kind)));
        } else if (kind === "delete") {
          if (store.get(id) === "up") vanishedAtMs.set(id, nowMs);
          store.delete(id);
          changes.push(...view.delete(id, nowMs));
        }
        for (const { type, instance: changed } of changes) {
          if (type === "removed") expect(told.delete(changed.id)).toBe(true);
          else told.add(changed.id);
        }
        const ids = view.instances.map((each) => each.id);
        expect(new Set(ids)).toEqual(told);
        for (const present of store.keys()) expect(ids).toContain(present);
        for (const { id: heldId } of view.held) expect(nowMs - (vanishedAtMs.get(heldId) ?? 0)).toBeLessThan(60_000);
        expect(ids.length).toBe(store.size + view.held.length);
      }
    }),
  );
});
