import { describe, expect, test } from "vitest";
import { onAbort } from "./on-abort.ts";

describe("onAbort()", () => {
  test("runs every callback once, in order, except those taken back", () => {
    const controller = new AbortController();
    const ran: string[] = [];
    const note = (name: string) => () => {
      ran.push(name);
    };
    onAbort(controller.signal, note("a"));
    const takeBack = onAbort(controller.signal, note("b"));
    onAbort(controller.signal, note("c"));
    takeBack();
    takeBack();
    controller.abort();
    controller.abort();
    expect(ran).toEqual(["a", "c"]);
  });

  test("lets one signal serve a thousand calls without a warning of the process", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    const { signal } = new AbortController();
    for (let n = 0; n < 1_000; n++) onAbort(signal, () => {});
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  test("takes the same function twice as two", () => {
    const controller = new AbortController();
    let runs = 0;
    const count = () => {
      runs++;
    };
    onAbort(controller.signal, count);
    onAbort(controller.signal, count)();
    controller.abort();
    expect(runs).toBe(1);
  });
});
