/**
 * @module Run in a process whose files may not grow beyond a limit, which stands in for a full disk: replaces the content
 * of the store in the directory given by more than fits, and prints what becomes of it.
 */
import { type Bucket, utf8 } from "@conclave/base";
import { openLmdbBackend } from "../lmdb-backend.ts";

async function outcome(result: Promise<void>): Promise<string> {
  return result.then(
    () => "done",
    (error) => error.code,
  );
}

async function* entries(): AsyncGenerator<[Bucket, Uint8Array, Uint8Array]> {
  yield ["meta", utf8("consistent_index"), utf8("9")];
  for (let number = 0; number < 5_000; number++) yield ["key", utf8(`key ${number}`), new Uint8Array(1_000)];
}

const [path = ""] = process.argv.slice(2);
const backend = await openLmdbBackend({ path });
backend.put("meta", utf8("consistent_index"), utf8("3"));
backend.put("key", utf8("first"), utf8("1"));
const first = await outcome(backend.commit());
const replaced = await outcome(backend.replace(entries()));
backend.put("key", utf8("small"), utf8("2"));
const small = await outcome(backend.commit());
await backend.close();
console.log(JSON.stringify({ first, replaced, small }));
