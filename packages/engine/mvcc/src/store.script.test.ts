import { readdirSync, readFileSync } from "node:fs";
import { utf8Text } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { expect, test } from "vitest";
import { decodeKey } from "./key-value.ts";
import { createMemoryBackend } from "./memory-backend.ts";
import { isTombstoneKey, revisionMain, revisionSub } from "./revision.ts";
import { createMvccStore } from "./store.ts";
import { drain } from "./testing/drain.ts";
import { LeaseLedger } from "./testing/lease-ledger.ts";
import { del, op, put, range, txn } from "./testing/requests.ts";

type Options = Record<string, string>;

/** Runs the commands of one script on a store of its own; each gives some lines. */
function interpreter(): (command: string) => Promise<string> {
  const leases = new LeaseLedger(1n, 2n);
  let backend = createMemoryBackend();
  let store = createMvccStore({ backend, leases });
  const commands: Record<string, (words: string[], options: Options) => unknown> = {
    put: ([key = "", value], { lease = "0" }) => store.put(put(key, value, { lease: BigInt(lease) })),
    delete: ([key = "", end]) => store.deleteRange(del(key, end)),
    txn: (words) => store.txn(txn({ success: words.map(operation) })),
    get: ([key = "", end], { at = "0" }) => {
      const { kvs } = store.range(range(key, end, { revision: BigInt(at) }));
      return kvs.length === 0 ? "(none)" : kvs.map(describe);
    },
    compact: ([revision]) => store.compact(Number(revision)),
    step: ([limit]) => (store.compactStep(Number(limit)) ? "more" : "done"),
    finish: () => {
      while (store.compactStep());
    },
    history: ([from, to]) =>
      store
        .eventsBetween({
          fromRevision: Number(from),
          toRevision: Number(to ?? store.currentRevision + 1),
          limit: 100,
          accepts: () => true,
        })
        .events.map(({ type, key, modRevision, prevKv }, at, events) => {
          const previous = prevKv.call(events[at]);
          return `${type} ${key}@${modRevision}${previous === undefined ? "" : ` was ${describe(previous)}`}`;
        }),
    stored: () =>
      [...backend.scan("key")].map(
        ([key, value]) =>
          `${revisionMain(key)}.${revisionSub(key)}${isTombstoneKey(key) ? "t" : ""} ${utf8Text(decodeKey(value))}`,
      ),
    keys: () => `${store.keyCount} in the index`,
    revisions: () => `current=${store.currentRevision} compacted=${store.compactRevision}`,
    hash: ([revision]) => {
      const { hash, compactRevision } = drain(store.hashKv(Number(revision)));
      return `${hash.toString(16)} compacted=${compactRevision}`;
    },
    restart: async () => {
      await backend.commit();
      backend = backend.crash();
      store = createMvccStore({ backend, leases: new LeaseLedger(1n, 2n) });
    },
  };
  return async (command) => {
    const [name = "", ...rest] = command.split(" ");
    const options = Object.fromEntries(rest.filter((word) => /^\w+=/.test(word)).map((word) => word.split("=")));
    const words = rest.filter((word) => !/^\w+=/.test(word)).map((word) => (word === "\\0" ? "\0" : word));
    try {
      const result = await commands[name]?.(words, options);
      return typeof result === "string" ? result : Array.isArray(result) ? result.join("\n") : "";
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  };
}

/** `+key` puts, `-key` deletes. */
function operation(word: string): ReturnType<typeof op.put> {
  return word.startsWith("+") ? op.put(word.slice(1)) : op.del(word.slice(1));
}

function describe({ key, value, createRevision, modRevision, version, lease }: KeyValue): string {
  const place = `create=${createRevision} mod=${modRevision} version=${version}`;
  return `${utf8Text(key)}=${utf8Text(value)} ${place}${lease === 0n ? "" : ` lease=${lease}`}`;
}

const directory = new URL("./testdata/store/", import.meta.url);

test.each(readdirSync(directory))("%s", async (name) => {
  const path = new URL(name, directory).pathname;
  const run = interpreter();
  const rendered: string[] = [];
  for (const block of readFileSync(path, "utf8").trimEnd().split(/\n\n+/)) {
    const head = block.split("\n----")[0] ?? "";
    const lines: string[] = [];
    for (const command of head.split("\n").filter((line) => !line.startsWith("#"))) lines.push(await run(command));
    rendered.push(`${head}\n----\n${lines.filter(Boolean).join("\n")}`.trimEnd());
  }
  await expect(`${rendered.join("\n\n")}\n`).toMatchFileSnapshot(path);
});
