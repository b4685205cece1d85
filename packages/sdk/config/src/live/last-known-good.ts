/**
 * @module The file with what was last in force: what the store held, not what was made of it, so that secrets stay
 * encrypted on disk, a gray value still ends, and a new version of the program reads it with its own schema.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { asBuffer } from "@conclave/base";
import { replaceFile } from "@conclave/client";
import { z } from "zod";
import type { StoredValue } from "../document/stored-value.ts";
import type { Snapshot } from "./snapshot.ts";

const valueSchema = z.object({ revision: z.number().int().positive(), value: z.base64() });
const fileSchema = z.object({
  format: z.literal(1),
  revision: z.number().int().nonnegative(),
  documents: z.array(z.object({ key: z.string(), base: valueSchema.optional(), gray: valueSchema.optional() })),
});
type StoredFile = z.infer<typeof fileSchema>;

/** Writes a snapshot so that the file is always a whole one: the one before or this one. */
export async function saveSnapshot(path: string, { revision, documents }: Snapshot): Promise<void> {
  const file: StoredFile = {
    format: 1,
    revision,
    documents: documents.map(({ key, base, gray }) => ({ key, base: toStored(base), gray: toStored(gray) })),
  };
  await replaceFile(path, `${JSON.stringify(file)}\n`, { unique: randomUUID() });
}

/**
 * Reads the snapshot in a file.
 *
 * @param keys - the documents it must hold
 * @throws if there is none, or not of these documents
 */
export async function loadSnapshot(path: string, keys: readonly string[]): Promise<Snapshot> {
  const { revision, documents } = fileSchema.parse(JSON.parse(await readFile(path, "utf8")));
  const byKey = new Map(documents.map((document) => [document.key, document]));
  return {
    revision,
    documents: keys.map((key) => {
      const document = byKey.get(key);
      if (document === undefined) throw new Error(`"${path}" does not hold "${key}"`);
      return { key, base: fromStored(document.base), gray: fromStored(document.gray) };
    }),
  };
}

function toStored(stored: StoredValue | undefined): z.infer<typeof valueSchema> | undefined {
  return stored && { revision: stored.revision, value: asBuffer(stored.bytes).toString("base64") };
}

function fromStored(stored: z.infer<typeof valueSchema> | undefined): StoredValue | undefined {
  return stored && { revision: stored.revision, bytes: Buffer.from(stored.value, "base64") };
}
