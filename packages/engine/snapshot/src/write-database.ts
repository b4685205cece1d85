import { type BackendView, buckets, utf8 } from "@conclave/base";
import { pageBytes } from "./format.ts";
import { metaPage } from "./meta-page.ts";
import { type DatabaseSink, PageOutput } from "./page-output.ts";
import { TreeWriter } from "./tree-writer.ts";

/** What to write, and where. */
export interface WriteDatabaseOptions {
  /** The state to write. It must stay open, and unchanged, until it is written. */
  readonly view: Pick<BackendView, "scan">;
  /** An empty file. It is not synced. */
  readonly file: DatabaseSink;
  /** Called after each millisecond or so of work, to let others work; default: there is no pause. */
  readonly pause?: () => Promise<void>;
}

/** Entries between two pauses. */
const sliceEntries = 500;
/** Behind the two meta pages. */
const firstPage = 2;
/** Page 0 gets the higher one, as a transaction with an even number does in etcd. */
const transaction = 2n;

/**
 * Writes the state of a store as a database file of etcd: every bucket, in order, without gaps. Little more is held in
 * memory than the largest value. The two pages that make it a database are written last.
 *
 * @returns its size, a multiple of 4096 bytes
 * @throws the error of the view or of the file
 */
export async function writeDatabase(options: WriteDatabaseOptions): Promise<{ sizeBytes: number }> {
  const { view, file, pause = async () => {} } = options;
  const output = new PageOutput(file, firstPage);
  const root = new TreeWriter(output, "buckets");
  for (const bucket of [...buckets].sort()) {
    const tree = new TreeWriter(output, "values");
    let written = 0;
    for (const [key, value] of view.scan(bucket)) {
      tree.add(key, value);
      written++;
      if (output.isFull) await output.flush();
      if (written % sliceEntries === 0) await pause();
    }
    root.add(utf8(bucket), tree.finishBucket());
  }
  const rootId = root.finish();
  await output.flush();
  await writeMetas(file, { root: rootId, highWater: output.nextPage });
  return { sizeBytes: output.nextPage * pageBytes };
}

async function writeMetas(file: DatabaseSink, content: { root: number; highWater: number }): Promise<void> {
  await file.write(0, metaPage(0, { ...content, transaction }));
  await file.write(pageBytes, metaPage(1, { ...content, transaction: transaction - 1n }));
}
