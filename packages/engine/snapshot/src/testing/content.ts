import { type Bucket, binaryString, binaryStringBytes, buckets } from "@conclave/base";
import { readDatabase } from "../read-database.ts";
import { writeDatabase } from "../write-database.ts";
import { MemoryFile } from "./memory-file.ts";

/** The content of a database: keys, as binary strings, and values by bucket. Buckets without keys may be left out. */
export type Content = Partial<Record<Bucket, Readonly<Record<string, Uint8Array>>>>;

/** An entry of a database, its key and value as binary strings, which are quick to compare. */
export type Entry = readonly [bucket: string, key: string, value: string];

/** What a database with this content is read as: buckets and keys in order. */
export function entriesOf(content: Content): Entry[] {
  return [...buckets].sort().flatMap((bucket) =>
    Object.entries(content[bucket] ?? {})
      .map(([key, value]): Entry => [bucket, key, binaryString(value)])
      .sort(([, left], [, right]) => (left < right ? -1 : 1)),
  );
}

/** A view of some content. */
export function viewOf(content: Content): Parameters<typeof writeDatabase>[0]["view"] {
  const entries = entriesOf(content);
  return {
    *scan(wanted) {
      for (const [bucket, key, value] of entries)
        if (bucket === wanted) yield [binaryStringBytes(key), binaryStringBytes(value)];
    },
  };
}

/** A database with some content. */
export async function databaseOf(content: Content): Promise<MemoryFile> {
  const file = new MemoryFile();
  await writeDatabase({ view: viewOf(content), file });
  return file;
}

/** All that can be read from a database. */
export async function contentOf(file: MemoryFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const { bucket, key, value } of readDatabase(file))
    entries.push([bucket, binaryString(key), binaryString(value)]);
  return entries;
}

/** Numbered keys with values of the same length. */
export function numbered(count: number, valueBytes: number): Record<string, Uint8Array> {
  const entries = Array.from({ length: count }, (_, number): [string, Uint8Array] => [
    `key ${String(number).padStart(8, "0")}`,
    new Uint8Array(valueBytes).fill(number),
  ]);
  return Object.fromEntries(entries);
}
