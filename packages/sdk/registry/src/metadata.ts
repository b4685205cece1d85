/** @module Metadata of instances: what a schema of any library allows, or texts by name where there is none. */
import { ConclaveError, describeIssues, type StandardSchema } from "@conclave/client";
import { z } from "zod";
import { check, type InstanceMetadata, type MetadataCheck } from "./instance.ts";

const texts = z.record(z.string(), z.string());

/** Metadata without a schema: texts by name. */
export const checkTexts: MetadataCheck<InstanceMetadata> = (value) => check(texts, value, "metadata of an instance");

/** Metadata of a layout in which it may be anything: what is no text is told as JSON, what has no name as `value`. */
export const asTexts: MetadataCheck<InstanceMetadata> = (value) => {
  const named = typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value };
  const text = (each: unknown): string => (typeof each === "string" ? each : JSON.stringify(each));
  return Object.fromEntries(Object.entries(named).map(([name, each]) => [name, text(each)]));
};

/** Metadata with a schema. */
export function checkWith<Metadata>({ "~standard": standard }: StandardSchema<Metadata>): MetadataCheck<Metadata> {
  return (value) => {
    const result = standard.validate(value);
    if (result instanceof Promise) {
      result.catch(() => {}); // Nobody waits for its answer.
      throw new ConclaveError("INVALID_ARGUMENT", "Cannot check metadata with a schema that answers later");
    }
    if (result.issues === undefined) return result.value;
    const flaws = describeIssues(result.issues);
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid metadata of an instance: ${flaws}`);
  };
}
