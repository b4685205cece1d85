import { type Bucket, binaryString, buckets } from "@conclave/base";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { mergeWrites, Overlay, type OverlayWrite } from "./overlay.ts";

const key = fc.uint8Array({ minLength: 1, maxLength: 3 });
const write = fc.record({
  bucket: fc.constantFrom<Bucket>("key", "meta"),
  key,
  value: fc.option(fc.uint8Array({ maxLength: 4 })),
});
const writes = fc.array(write, { maxLength: 80 });

type Model = Map<string, Uint8Array | null>;

function sorted(model: Model): OverlayWrite[] {
  return [...model].sort(([left], [right]) => (left < right ? -1 : 1));
}

/** The writes that a batch holds, read as the writing thread reads them. */
function unpack(batch: ArrayBuffer): [bucket: Bucket | undefined, key: string, value: Uint8Array | null][] {
  const view = new DataView(batch);
  const unpacked: ReturnType<typeof unpack> = [];
  for (let at = 0; at < batch.byteLength; ) {
    const keyAt = at + 8;
    const valueAt = keyAt + view.getUint16(at + 2, true);
    const end = valueAt + view.getUint32(at + 4, true);
    const value = view.getUint8(at + 1) === 0 ? null : new Uint8Array(batch.slice(valueAt, end));
    unpacked.push([buckets[view.getUint8(at)], binaryString(new Uint8Array(batch, keyAt, valueAt - keyAt)), value]);
    at = end;
  }
  return unpacked;
}

it("holds the last write to each key, in order, and packs exactly those", () => {
  fc.assert(
    fc.property(writes, key, key, (steps, from, to) => {
      const overlay = new Overlay();
      const models: Record<"key" | "meta", Model> = { key: new Map(), meta: new Map() };
      for (const step of steps) {
        overlay.set(step.bucket, step.key, step.value);
        models[step.bucket === "key" ? "key" : "meta"].set(binaryString(step.key), step.value);
        expect(overlay.get(step.bucket, binaryString(step.key))).toEqual(step.value);
      }
      const [start, end] = [binaryString(from), binaryString(to)];
      const inRange = sorted(models.key).filter(([name]) => name >= start && name < end);
      expect(overlay.range("key", start, end)).toEqual(inRange);
      expect(overlay.range("key", "", undefined)).toEqual(sorted(models.key));
      expect(overlay.operations).toBe(models.key.size + models.meta.size);
      const batch = overlay.toBatch();
      expect(overlay.bytes).toBe(batch.byteLength);
      expect(unpack(batch)).toEqual([
        ...sorted(models.key).map(([name, value]) => ["key", name, value]),
        ...sorted(models.meta).map(([name, value]) => ["meta", name, value]),
      ]);
    }),
  );
});

it("merges two lists of writes, of which the newer one counts", () => {
  fc.assert(
    fc.property(writes, writes, (newer, older) => {
      const asModel = (steps: typeof newer): Model =>
        new Map(steps.map((step) => [binaryString(step.key), step.value]));
      const merged = mergeWrites(sorted(asModel(newer)), sorted(asModel(older)));
      expect(merged).toEqual(sorted(new Map([...asModel(older), ...asModel(newer)])));
    }),
  );
});
