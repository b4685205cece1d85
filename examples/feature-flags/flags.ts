/** @module The flags, as operators publish them and instances read them. */
import type { ClientView } from "@conclave/client";
import { type Config, createConfig } from "@conclave/config";
import { z } from "zod";

/** What the flags may be. */
const flagsSchema = z.object({
  checkout: z.enum(["classic", "express"]),
  freeShippingFrom: z.number().min(0),
});

/** The flags. */
export type Flags = z.infer<typeof flagsSchema>;

/** The document they are in. */
export function flagsOf(client: ClientView): Config<Flags> {
  return createConfig(client, "shop/flags", { schema: flagsSchema });
}
