import { describe, expect, test } from "vitest";
import { formatHistory, HistoryError, HistoryRecorder, operationsOf, parseHistory } from "./history.ts";
import { randomRun } from "./testing/random-run.ts";

function recorderAt(times: readonly number[]): HistoryRecorder<string, number> {
  const left = [...times];
  return new HistoryRecorder({ monotonicMs: () => left.shift() ?? 0 });
}

describe("a recorder", () => {
  test("keeps the order of calls and answers, with their times", () => {
    const recorder = recorderAt([5, 6, 9]);
    const first = recorder.invoke("x", "a");
    recorder.invoke("y", "b", { session: "y on m2" });
    recorder.returned(first, 42);
    expect(operationsOf(recorder.events)).toEqual([
      {
        id: 1,
        client: "x",
        session: "x",
        operation: "a",
        invokedAt: 0,
        invokedMs: 5,
        returned: { at: 2, atMs: 9, answer: 42 },
      },
      { id: 2, client: "y", session: "y on m2", operation: "b", invokedAt: 1, invokedMs: 6, returned: undefined },
    ]);
  });

  test("counts what has no outcome yet as unknown, and leaves out what was refused", () => {
    const recorder = recorderAt([]);
    recorder.unknown(recorder.invoke("x", "lost"));
    recorder.refused(recorder.invoke("x", "refused"), "no leader");
    recorder.invoke("x", "open");
    const operations = operationsOf(recorder.events);
    expect(operations.map(({ operation, returned }) => [operation, returned])).toEqual([
      ["lost", undefined],
      ["open", undefined],
    ]);
  });

  test("refuses a second outcome", () => {
    const recorder = recorderAt([]);
    const id = recorder.invoke("x", "a");
    recorder.unknown(id);
    expect(() => recorder.returned(id, 1)).toThrow(HistoryError);
  });

  test("records a call by how it ends", async () => {
    const recorder = recorderAt([]);
    const fate = (error: unknown) => (String(error).includes("refused") ? "refused" : "unknown");
    const send = (outcome: Promise<number>) => recorder.record("x", { operation: "a", send: () => outcome, fate });
    expect(await send(Promise.resolve(1))).toBe(1);
    expect(await send(Promise.reject(new Error("refused")))).toBeUndefined();
    expect(await send(Promise.reject(new Error("timeout")))).toBeUndefined();
    expect(recorder.events.map(({ type }) => type)).toEqual([
      "invoke",
      "return",
      "invoke",
      "refused",
      "invoke",
      "unknown",
    ]);
  });
});

describe("a history in a file", () => {
  test("comes back as it was", () => {
    const { history } = randomRun({ seed: 1, operations: 200 });
    expect(parseHistory(formatHistory(history))).toEqual(history);
    expect(parseHistory("")).toEqual([]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "1"],
    ["no type", '{"id":1,"atMs":0}'],
    ["a type that there is not", '{"type":"maybe","id":1,"atMs":0}'],
    ["no id", '{"type":"unknown","atMs":0}'],
    ["no time", '{"type":"unknown","id":1}'],
    ["an invocation of nothing", '{"type":"invoke","id":1,"atMs":0,"client":"x"}'],
    ["an answer without one", '{"type":"return","id":1,"atMs":0}'],
    ["a refusal without a reason", '{"type":"refused","id":1,"atMs":0}'],
  ])("is refused with the number of the line if there is %s", (_, line) => {
    const good = '{"type":"invoke","id":1,"atMs":0,"client":"x","operation":"a"}\n';
    expect(() => parseHistory(good + line)).toThrow(/^Line 2 /);
    expect(() => parseHistory(good + line)).toThrow(HistoryError);
  });

  test.each([
    ["an outcome without an invocation", '{"type":"unknown","id":1,"atMs":0}'],
    [
      "two outcomes",
      '{"type":"invoke","id":1,"atMs":0,"client":"x","operation":1}\n{"type":"unknown","id":1,"atMs":0}\n{"type":"unknown","id":1,"atMs":0}',
    ],
    [
      "two invocations",
      '{"type":"invoke","id":1,"atMs":0,"client":"x","operation":1}\n{"type":"invoke","id":1,"atMs":0,"client":"x","operation":1}',
    ],
  ])("is no history with %s", (_, text) => {
    expect(() => operationsOf(parseHistory(text))).toThrow(HistoryError);
  });
});
