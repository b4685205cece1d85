import { allKeys, type ConclaveError } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";
import { inWords } from "./told.ts";

describe("T25: a handler of the user throws", () => {
  test("nothing is lost: the others hear every event, the watch goes on, and the error is told", async () => {
    const errors: ConclaveError[] = [];
    const { client, store, time } = modelCluster({ client: { onHandlerError: (error) => errors.push(error) } });
    const told: string[] = [];
    const watcher = client.watch(allKeys(), { from: 1 });
    watcher.on("put", () => {
      throw new RangeError("a bug of the user");
    });
    watcher.on("put", ({ kv }) => told.push(kv.valueString));
    for (let n = 0; n < 3; n++) store.commit([{ key: "k", value: `${n}` }]);
    await time.advance(1_000);
    expect(told).toEqual(["0", "1", "2"]);
    expect(errors.map(({ code }) => code)).toEqual(["HANDLER_FAILED", "HANDLER_FAILED", "HANDLER_FAILED"]);
    watcher.close();
  });

  test("called from the stream itself it takes the stream's reader with it", async () => {
    const { network, store, time } = modelCluster();
    const told: string[] = [];
    new NaiveWatcher(network, time, {
      from: 1,
      cursor: "event",
      onEvent(event) {
        told.push(inWords(event));
        throw new RangeError("a bug of the user");
      },
    });
    for (let n = 0; n < 3; n++) store.commit([{ key: "k", value: `${n}` }]);
    await expect(time.advance(1_000)).rejects.toThrow("a bug of the user");
    expect(told).toHaveLength(1);
  });
});
