import { equalBytes } from "@conclave/base";
import type { FileSystem } from "@conclave/wal";

const chunkBytes = 1024 * 1024;
const zeros = new Uint8Array(chunkBytes);

/** Copies a file and makes the copy durable. Segments of a log end in many zeros, which are not written. */
export async function copyFile(
  fileSystem: FileSystem,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const source = await fileSystem.open(from, { mode: "read" });
  try {
    const target = await fileSystem.open(to, { mode: "create" });
    try {
      const size = await source.size();
      for (let at = 0; at < size; at += chunkBytes) {
        const chunk = await source.read(at, Math.min(chunkBytes, size - at));
        if (!equalBytes(chunk, zeros.subarray(0, chunk.length))) await target.write(at, chunk);
      }
      await target.truncate(size);
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
