/**
 * @module Run in a process whose files may not grow beyond a limit, which stands in for a full disk: commits what fits
 * and what does not into the store in the directory given, and prints what becomes of it.
 */
import { utf8 } from "@conclave/base";
import { openLmdbBackend } from "../lmdb-backend.ts";

async function outcome(result: Promise<void>): Promise<string> {
  return result.then(
    () => "done",
    (error) => error.code,
  );
}

const [path = ""] = process.argv.slice(2);
const backend = await openLmdbBackend({ path });
backend.put("key", utf8("first"), utf8("1"));
const first = await outcome(backend.commit());
backend.put("key", utf8("large"), new Uint8Array(4_000_000));
const large = await outcome(backend.commit());
backend.put("key", utf8("small"), utf8("2"));
const small = await outcome(backend.commit());
const defragmented = await outcome(backend.defragment());
const seen = [...backend.scan("key")].map(([, value]) => value.length);
await backend.close();
console.log(JSON.stringify({ first, large, small, defragmented, seen }));
