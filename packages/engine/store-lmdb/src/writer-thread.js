/**
 * @module The thread that writes to LMDB, so that no sync of the disk holds up the thread that serves.
 *
 * Plain JavaScript, and started from `src` by the build too: a worker does not inherit the loader with which tests
 * run the sources. It imports nothing that would need one.
 *
 * @import { BatchWrite } from "./batch.ts"
 * @import { EnvironmentOptions } from "./environment.ts"
 * @import { WriterRequest } from "./writer.ts"
 * @import { Database, RootDatabase } from "lmdb"
 */
import { statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { open } from "lmdb";

/** @type {{ root: RootDatabase, databases: Database[] } | undefined} */
let environment;

/** @param {WriterRequest} request */
async function handle(request) {
  switch (request.kind) {
    case "open":
      environment = openEnvironment(workerData.rootOptions.path);
      return;
    case "write":
      write(request.batch);
      return;
    case "clear":
      clear();
      return;
    case "copy":
      await copyTo(request.path);
      return;
    case "close":
      await environment?.root.close();
      environment = undefined;
      return;
  }
}

/** Keys and values are bytes. */
const bytes = { encoding: "binary", keyEncoding: "binary" };

/** @param {string} path */
function openEnvironment(path) {
  const { rootOptions, buckets } = workerData;
  const root = open({ ...rootOptions, ...bytes, path });
  // One transaction, so that creating the databases syncs once.
  const databases = root.transactionSync(() => buckets.map((bucket) => root.openDB(bucket, bytes)));
  return { root, databases };
}

/** Bytes of values that are copied in one transaction, which holds them in memory. */
const copyBytes = 8 * 2 ** 20;

/**
 * Puts every entry into a new environment. LMDB has a compacting copy of its own, but what it makes of an environment
 * with free pages ends the process at some later write: "Assertion 'key.mv_size > 0' failed in mdb_page_alloc()".
 *
 * @param {string} path
 */
async function copyTo(path) {
  const copy = openEnvironment(path);
  try {
    for (const [at, database] of environment.databases.entries()) {
      for (const entries of chunksOf(database)) {
        copy.root.transactionSync(() => {
          for (const { key, value } of entries) put(copy.databases[at], key, value);
        });
      }
    }
    keepFileWhole(copy.root, path);
  } finally {
    await copy.root.close();
  }
}

/**
 * The entries of a database in order, in pieces. No read transaction stays open between two.
 *
 * @param {Database} database
 */
function* chunksOf(database) {
  let from = {};
  for (;;) {
    const entries = [];
    let size = 0;
    for (const { key, value } of database.getRange(from)) {
      entries.push({ key, value });
      size += value.length;
      if (size >= copyBytes) break;
    }
    if (entries.length === 0) return;
    yield entries;
    from = { start: entries.at(-1).key, exclusiveStart: true };
  }
}

/**
 * Writes a batch in one transaction, which is on the disk when this returns.
 *
 * @param {ArrayBuffer} batch - see batch.ts for its form
 */
function write(batch) {
  const { root, databases } = environment;
  const view = new DataView(batch);
  root.transactionSync(() => {
    for (let at = 0; at < batch.byteLength; ) {
      const keyAt = at + 8;
      const valueAt = keyAt + view.getUint16(at + 2, true);
      const end = valueAt + view.getUint32(at + 4, true);
      const key = new Uint8Array(batch, keyAt, valueAt - keyAt);
      const database = databases[view.getUint8(at)];
      if (view.getUint8(at + 1) === 0) database.removeSync(key);
      else put(database, key, new Uint8Array(batch, valueAt, end - valueAt));
      at = end;
    }
  });
  keepFileWhole(root, workerData.rootOptions.path);
}

/** Removes every entry in one transaction, which is on the disk when this returns. */
function clear() {
  const { root, databases } = environment;
  root.transactionSync(() => {
    for (const database of databases) database.clearSync();
  });
  keepFileWhole(root, workerData.rootOptions.path);
}

/**
 * Makes the file as long as LMDB says it is. LMDB need not write the last pages if they are free again; a file that is
 * too short can then only have been cut, which is told when it is opened (see store-files.ts).
 *
 * @param {RootDatabase} root
 * @param {string} path - directory of its file
 */
function keepFileWhole(root, path) {
  const { lastPageNumber, pageSize } = root.getStats();
  const file = join(path, "data.mdb");
  const bytes = (lastPageNumber + 1) * pageSize;
  if (statSync(file).size < bytes) truncateSync(file, bytes);
}

/**
 * Puts an entry, behind the last one if it can: that fills pages to the brim instead of leaving them half full. A
 * key that is not above the last one is refused by the first call.
 *
 * @param {Database} database
 * @param {Uint8Array} key
 * @param {Uint8Array} value
 */
function put(database, key, value) {
  if (!database.putSync(key, value, { append: true })) database.putSync(key, value);
}

parentPort.on("message", (request) => {
  handle(request).then(
    () => parentPort.postMessage({ kind: "done" }),
    (error) => parentPort.postMessage({ kind: "failed", message: error.message }),
  );
});
