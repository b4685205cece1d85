import type { ClientView } from "@conclave/client";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { type Config, type ConfigVersion, createConfig, type LayeredConfig, publishRelease } from "./index.ts";

declare const client: ClientView;
const limits = z.object({ perSec: z.number(), http: z.object({ hosts: z.array(z.string()), port: z.number() }) });
type Limits = z.infer<typeof limits>;

describe("types of configurations", () => {
  test("a configuration is of what its schema gives", () => {
    const make = () => createConfig(client, "limits", { schema: limits });
    expectTypeOf(make).returns.toEqualTypeOf<Config<Limits>>();
    expectTypeOf<Config<Limits>["publish"]>().parameter(0).toEqualTypeOf<Limits>();
    // @ts-expect-error a text is no number
    const wrong = () => make().publish({ perSec: "1", http: { hosts: [], port: 1 } });
    expectTypeOf(wrong).toBeFunction();
  });

  test("a release answers with the value of each draft at its place", () => {
    const flags = () => createConfig(client, "flags", { schema: z.array(z.boolean()) });
    const release = (config: Config<Limits>, value: Limits) =>
      publishRelease(client, [config.draft(value), flags().draft([true])]);
    type Versions = Awaited<ReturnType<typeof release>>["versions"];
    expectTypeOf<Versions>().toEqualTypeOf<readonly [ConfigVersion<Limits>, ConfigVersion<boolean[]>]>();
  });

  test("a layer says a part: lists whole, and null for what it takes away", () => {
    type Layer = Parameters<ReturnType<LayeredConfig<Limits>["layer"]>["publish"]>[0];
    expectTypeOf<{ http: { port: number } }>().toExtend<Layer>();
    expectTypeOf<{ http: { hosts: null }; perSec: null }>().toExtend<Layer>();
    expectTypeOf<{ http: { hosts: [1] } }>().not.toExtend<Layer>();
    expectTypeOf<{ perSec: string }>().not.toExtend<Layer>();
  });
});
