import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Client, connect } from "@conclave/client";
import { createRegistry, type Registration, type Registry } from "@conclave/registry";
import { type BackEndMember, backEnds, freePorts } from "@conclave/testkit";
import { type Dispatcher, fetch, request } from "undici";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createServiceDispatcher } from "./index.ts";

/** A server that says who it is, on `/bad` that something is wrong, and on `/fall` hangs up in the middle of a request. */
async function startServer(name: string, requests: string[]): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    requests.push(`${name} ${incoming.method} ${incoming.url}`);
    if (incoming.url === "/fall") incoming.socket.destroy();
    else incoming.resume().on("end", () => outgoing.writeHead(incoming.url === "/bad" ? 500 : 200).end(name));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
const addressOf = (server: Server | undefined): string =>
  `http://127.0.0.1:${(server?.address() as AddressInfo | undefined)?.port}`;

describe.each(backEnds())("requests to services in $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    let registry: Registry;
    let servers: readonly Server[];
    let dispatcher: Dispatcher;
    const requests: string[] = [];
    let counter = 0;
    let service: string;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
      registry = createRegistry(client);
      servers = await Promise.all(["a", "b"].map((name) => startServer(name, requests)));
    });
    afterAll(async () => {
      await Promise.all(servers.map((server) => once(server.close(), "close")));
      await client.close();
      await member[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      requests.length = 0;
      service = `orders-${counter++}`;
      dispatcher = createServiceDispatcher(registry, { policy: "round-robin" });
    });
    afterEach(() => dispatcher.close());

    const register = async (id: string, http = addressOf(servers["ab".indexOf(id)])): Promise<Registration> =>
      registry.register({ service, id, addresses: { http } });
    /** An address that nobody listens at. */
    const deserted = async (): Promise<string> => `http://127.0.0.1:${(await freePorts(1))[0]}`;
    const ask = async (path = "/"): Promise<string> =>
      (await fetch(`http://${service}.service${path}`, { dispatcher })).text();

    test("go to its live instances in turn", async () => {
      await using _a = await register("a");
      await using _b = await register("b");
      const answers = [await ask(), await ask(), await ask(), await ask()];
      expect(answers.sort()).toEqual(["a", "a", "b", "b"]);
    });

    test("go to another instance when one cannot be connected to, with their body", async () => {
      await using _a = await register("a");
      await using _gone = await register("gone", await deserted());
      for (let at = 0; at < 4; at++) {
        const response = await fetch(`http://${service}.service/x`, { dispatcher, method: "POST", body: "text" });
        expect(await response.text()).toBe("a");
      }
      expect(requests).toEqual(Array(4).fill("a POST /x"));
    });

    test("fail with the error of the connection when nobody can be connected to", async () => {
      const addresses = await Promise.all([deserted(), deserted(), deserted(), deserted()]);
      const registrations = await Promise.all(addresses.map((address, at) => register(`gone-${at}`, address)));
      await expect(ask()).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
      await Promise.all(registrations.map((registration) => registration.deregister()));
    });

    test("are not sent again once they were sent", async () => {
      await using _a = await register("a");
      await using _b = await register("b");
      await expect(ask("/fall")).rejects.toThrow();
      expect(requests).toHaveLength(1);
    });

    test("fail when the service has nobody, and succeed when somebody comes", async () => {
      await expect(ask()).rejects.toMatchObject({ cause: { code: "UNAVAILABLE" } });
      await using _a = await register("a");
      await expect.poll(() => ask().catch(() => "nobody")).toBe("a");
    });

    test("leave out an instance that fails again and again", async () => {
      await dispatcher.close();
      dispatcher = createServiceDispatcher(registry, {
        policy: "round-robin",
        ejection: { failures: 1, ejectMs: 60_000 },
      });
      await using _a = await register("a");
      await using _b = await register("b");
      const bad = await ask("/bad");
      expect(await Promise.all([ask(), ask(), ask(), ask()])).toEqual(Array(4).fill(bad === "a" ? "b" : "a"));
    });

    test("work for other callers of undici too, and for the fetch of Node", async () => {
      await using _a = await register("a");
      const { body, statusCode } = await request(`http://${service}.service/`, { dispatcher });
      expect([statusCode, await body.text()]).toEqual([200, "a"]);
      // Node's fetch is another undici, whose types differ from those of the one that is installed.
      const options = { dispatcher } as unknown as RequestInit;
      expect(await (await globalThis.fetch(`http://${service}.service/`, options)).text()).toBe("a");
    });

    test("to other hosts pass by", async () => {
      expect(await (await fetch(`${addressOf(servers[0])}/direct`, { dispatcher })).text()).toBe("a");
    });

    test("follow no more services than they may, and any of them again when it is asked for", async () => {
      await dispatcher.close();
      const followed: string[] = [];
      const counting: Pick<Registry<unknown>, "balance"> = {
        async balance(name, options) {
          const picker = await registry.balance(name, options);
          followed.push(`+${name}`);
          picker.set.once("end", () => followed.push(`-${name}`));
          return picker;
        },
      };
      dispatcher = createServiceDispatcher(counting, { servicesMax: 2 });
      await using _a = await register("a");
      const askOther = (name: string) => fetch(`http://${name}.service/`, { dispatcher }).catch(() => undefined);
      for (const name of ["x", service, "y", service, "z", "x"]) await askOther(name);
      expect(await ask()).toBe("a");
      await expect
        .poll(() => [...followed].sort())
        .toEqual(["+x", "+y", "+z", "-x", "-y", "-z", "+x", `+${service}`, `-${service}`, `+${service}`].sort());
    });

    test("are refused when the dispatcher is closed", async () => {
      await dispatcher.close();
      await expect(ask()).rejects.toMatchObject({ cause: { code: "CLOSED" } });
    });
  });
});

test("a dispatcher with a wrong option is refused", () => {
  const registry = { balance: () => Promise.reject(new Error("nothing is to be balanced")) };
  expect(() => createServiceDispatcher(registry, { suffix: "service" })).toThrow("suffix must start with a dot");
  expect(() => createServiceDispatcher(registry, { retries: -1 })).toThrow("retries");
});
