import { GrpcStatus } from "@conclave/protocol";
import { describe, expect, test } from "vitest";
import { modelCluster } from "../testing/model-client.ts";
import type { CallRequest, Interceptor } from "./interceptors.ts";
import { TransportError } from "./transport.ts";

const noting =
  (name: string, notes: string[]): Interceptor =>
  (next) =>
  async (request) => {
    notes.push(`${name} > ${request.stream ? "stream" : "call"} ${request.path.split("/").at(-1)}`);
    const response = await next(request);
    notes.push(`${name} <`);
    return response;
  };

describe("interceptors", () => {
  test("are around every call and stream, the first one outermost", async () => {
    const notes: string[] = [];
    const { client, store, time } = modelCluster({
      client: { interceptors: [noting("a", notes), noting("b", notes)] },
    });
    await time.complete(client.get("k"));
    expect(notes.splice(0)).toEqual(["a > call Range", "b > call Range", "b <", "a <"]);
    const watcher = client.watch("k");
    const events: string[] = [];
    watcher.on("put", ({ kv }) => events.push(kv.valueString));
    await time.complete(watcher.ready());
    store.commit([{ key: "k", value: "v" }]);
    await time.advance(100);
    expect(notes).toEqual(["a > stream Watch", "b > stream Watch", "b <", "a <"]);
    expect(events).toEqual(["v"]);
    watcher.close();
  });

  test("may change what goes out, and see each try of a call", async () => {
    const requests: CallRequest[] = [];
    const tenant: Interceptor = (next) => async (request) => {
      requests.push(request);
      return await next({ ...request, metadata: { ...request.metadata, tenant: "blue" } });
    };
    const { client, network, time } = modelCluster({ members: 2, client: { interceptors: [tenant] } });
    network.reachability.set("m1:1", "refuses");
    await time.complete(client.get("k"));
    await time.complete(client.get("k"));
    expect(network.calls.map(({ metadata }) => metadata.tenant)).toEqual(network.calls.map(() => "blue"));
    expect(requests).toHaveLength(network.calls.length);
  });

  test("that refuse a call decide what it ended with", async () => {
    const refusing: Interceptor = () => async () => {
      throw new TransportError(GrpcStatus.PermissionDenied, "not on my watch");
    };
    const broken: Interceptor = () => async () => {
      throw new RangeError("a bug");
    };
    const refused = modelCluster({ client: { interceptors: [refusing] } });
    await expect(refused.time.complete(refused.client.get("k"))).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    const failed = modelCluster({ client: { interceptors: [broken] } });
    // A bug may lie behind the answer too: then nobody knows what the call did.
    await expect(failed.time.complete(failed.client.put("k", "v"))).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const watcher = refused.client.watch("k");
    await refused.time.advance(10);
    expect(await watcher.ended).toMatchObject({ code: "PERMISSION_DENIED" });
  });
});
