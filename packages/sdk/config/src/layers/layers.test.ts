import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readEnvironment } from "./environment.ts";
import { mergeLayer, mergeLayers } from "./merge.ts";

/** Values that JSON can say, with names that trip those who set fields by assignment. */
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.integer(),
    fc.string(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "__proto__", "constructor"), tie("value"), { maxKeys: 3 }),
  ),
}));
/** The algorithm of RFC 7396, section 2, on maps. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const merged = new Map<string, unknown>(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch))
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  return Object.fromEntries(merged);
}

describe("layers", () => {
  test("are merged as a JSON Merge Patch is applied", () => {
    fc.assert(
      fc.property(json, json, (below, above) => {
        expect(JSON.stringify(mergeLayer(below, above))).toBe(JSON.stringify(mergePatch(below, above)));
      }),
    );
  });

  test("are merged from the weakest to the strongest; one that says nothing changes nothing", () => {
    const layers = [{ a: 1, b: { c: [1, 2] } }, undefined, { b: { c: [3], d: null } }, { a: null }];
    expect(mergeLayers(layers)).toEqual({ b: { c: [3] } });
    expect(mergeLayers([undefined, undefined])).toBeUndefined();
  });

  test("leave the prototypes of objects alone", () => {
    const merged = mergeLayer({}, JSON.parse('{"__proto__":{"polluted":true}}')) as object;
    expect(Object.keys(merged)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(readEnvironment({ prefix: "A_", record: { A___PROTO____POLLUTED: "1" } })).toBeUndefined();
  });
});

describe("the layer of the environment", () => {
  const read = (record: Record<string, string | undefined>) => readEnvironment({ prefix: "APP_", record });

  test.each([
    ["a word", { APP_LIMIT: "5" }, { limit: 5 }],
    ["words of a name", { APP_REQUESTS_PER_SEC: "5" }, { requestsPerSec: 5 }],
    ["fields of fields", { APP_HTTP__MAX_SIZE: "1", APP_HTTP__HOST: "a" }, { http: { maxSize: 1, host: "a" } }],
    ["JSON", { APP_ZONES: '["a"]', APP_ON: "true", APP_NAME: '"5"' }, { zones: ["a"], on: true, name: "5" }],
    ["null, which takes a field away", { APP_LIMIT: "null" }, { limit: null }],
    ["text that is no JSON", { APP_NAME: "orders one" }, { name: "orders one" }],
    ["fields over a value of the same name", { APP_A: "1", APP_A__B: "2" }, { a: { b: 2 } }],
  ])("takes %s", (_what, record, value) => {
    expect(read(record)).toEqual(value);
  });

  test("has nothing of others, of empty names and of what is not set", () => {
    expect(read({ HOME: "/", APPLE: "1", APP_: "1", APP_A__: "1", APP_B: undefined })).toBeUndefined();
  });
});
