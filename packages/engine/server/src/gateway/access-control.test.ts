import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type AccessRules, admit } from "./access-control.ts";

describe("admit()", () => {
  let close = (): void => undefined;
  afterEach(() => close());

  /** Asks a server with these rules, with these header fields. */
  async function ask(rules: AccessRules, headers: Record<string, string>, method = "GET"): Promise<IncomingMessage> {
    const server = createServer((request, response) => {
      if (admit(request, response, rules)) response.end("admitted");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    close = () => void server.close();
    const { port } = server.address() as AddressInfo;
    const request = httpRequest({ host: "127.0.0.1", port, method, headers, agent: false }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    return response;
  }
  const open: AccessRules = { cors: ["*"], hostWhitelist: ["*"] };

  it.each([["db.example"], ["db.example:2379"], ["[::1]:2379"], ["127.0.0.1"]])(
    "admits a request to a host of the list: %s",
    async (host) => {
      const rules = { ...open, hostWhitelist: ["db.example", "::1", "127.0.0.1"] };
      expect((await ask(rules, { host })).statusCode).toBe(200);
    },
  );

  it.each(["evil.example", "db.example.evil.example", "DB.example", "x-db.example:2379"])(
    "refuses a request to another host: %s",
    async (host) => {
      const rules = { ...open, hostWhitelist: ["db.example"] };
      expect((await ask(rules, { host })).statusCode).toBe(421);
      expect((await ask(rules, { host, origin: "http://evil.example" }, "OPTIONS")).statusCode).toBe(421);
    },
  );

  it("admits every host by default", async () => {
    expect((await ask(open, { host: "anything" })).statusCode).toBe(200);
    expect((await ask({ ...open, hostWhitelist: [] }, { host: "anything" })).statusCode).toBe(200);
  });

  it("tells pages of the listed origins, and no others, that they may read", async () => {
    const rules = { ...open, cors: ["https://app.example"] };
    const listed = await ask(rules, { origin: "https://app.example" });
    expect(listed.headers["access-control-allow-origin"]).toBe("https://app.example");
    const other = await ask(rules, { origin: "https://evil.example" });
    expect(other.statusCode).toBe(200);
    expect(other.headers).not.toHaveProperty("access-control-allow-origin");
  });

  it("answers a preflight itself", async () => {
    const { statusCode, headers } = await ask(open, { origin: "https://app.example" }, "OPTIONS");
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "POST, GET, OPTIONS, PUT, DELETE",
      "access-control-allow-headers": "accept, content-type, authorization",
    });
  });
});
