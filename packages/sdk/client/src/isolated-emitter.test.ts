import { describe, expect, test, vi } from "vitest";
import type { ConclaveError } from "./conclave-error.ts";
import { IsolatedEmitter, warnOfHandlerError } from "./isolated-emitter.ts";

type Events = { tick: [n: number] };

function emitter() {
  const failures: ConclaveError[] = [];
  return { failures, events: new IsolatedEmitter<Events>((error) => failures.push(error)) };
}

describe("IsolatedEmitter", () => {
  test("calls handlers in order until they are taken back", () => {
    const { events } = emitter();
    const heard: string[] = [];
    const off = events.on("tick", (n) => heard.push(`first ${n}`));
    events.on("tick", (n) => heard.push(`second ${n}`));
    events.once("tick", (n) => heard.push(`once ${n}`));
    events.emit("tick", 1);
    off();
    events.emit("tick", 2);
    expect(heard).toEqual(["first 1", "second 1", "once 1", "second 2"]);
    expect(events.count("tick")).toBe(1);
  });

  test("routes what handlers throw or reject with, and calls the others", async () => {
    const { events, failures } = emitter();
    const [thrown, rejected] = [new Error("thrown"), "rejected"];
    let others = 0;
    events.on("tick", () => {
      throw thrown;
    });
    events.on("tick", () => Promise.reject(rejected));
    events.on("tick", () => {
      others++;
    });
    events.emit("tick", 1);
    await Promise.resolve();
    expect(others).toBe(1);
    expect(failures.map(({ code, cause, message }) => [code, cause, message])).toEqual([
      ["HANDLER_FAILED", thrown, 'A handler of "tick" failed: thrown'],
      ["HANDLER_FAILED", rejected, 'A handler of "tick" failed: rejected'],
    ]);
  });

  test("by default warns of them, and the process goes on", () => {
    const emitWarning = vi.spyOn(process, "emitWarning").mockReturnValue();
    const events = new IsolatedEmitter<Events>(warnOfHandlerError);
    events.on("tick", () => {
      throw new Error("a user's mistake");
    });
    events.emit("tick", 1);
    expect(emitWarning).toHaveBeenCalledWith(expect.stringContaining("a user's mistake"), {
      type: "ConclaveWarning",
      code: "HANDLER_FAILED",
    });
    emitWarning.mockRestore();
  });
});
