import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@conclave/client";
import { type MemberConfigInput, startServer } from "@conclave/server";
import { freePorts } from "@conclave/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let directory: string;
let config: MemberConfigInput;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-embedding-"));
  const [port] = await freePorts(1);
  const urls = [`http://127.0.0.1:${port}`];
  config = { dataDir: join(directory, "data"), listenClientUrls: urls, advertiseClientUrls: urls };
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("startServer()", () => {
  test("keeps what was written over a stop and a start, and lets go of everything when it stops", async () => {
    const first = await startServer(config);
    const client = createClient({ endpoints: [...first.clientUrls] });
    await client.put("a", "1");
    await client.close();
    await first.stop();
    await using second = await startServer(config);
    expect([second.memberId, second.clusterId]).toEqual([first.memberId, first.clusterId]);
    await using again = createClient({ endpoints: [...second.clientUrls] });
    expect(await again.getString("a")).toBe("1");
  });

  test("serves on a unix socket", async () => {
    const socket = join(directory, "socket");
    await using _server = await startServer({ ...config, listenClientUrls: [`unix://${socket}`] });
    await using client = createClient({ endpoints: [`unix:${socket}`] });
    await client.put("a", "1");
    expect(await client.getString("a")).toBe("1");
  });

  test("refuses a data directory that is in use, also by this process", async () => {
    await using _server = await startServer(config);
    await expect(startServer(config)).rejects.toMatchObject({ name: "MemberError", code: "DATA_DIR_IN_USE" });
  });

  test("refuses a data directory that is no directory", async () => {
    await writeFile(join(directory, "data"), "a file");
    await expect(startServer(config)).rejects.toMatchObject({ name: "MemberError", code: "DATA_DIR_UNUSABLE" });
  });

  test("refuses a port in use, and gives the data directory free again", async () => {
    const squatter = createServer();
    await once(squatter.listen(0, "127.0.0.1"), "listening");
    const address = squatter.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const taken = { ...config, listenClientUrls: [`http://127.0.0.1:${port}`] };
    await expect(startServer(taken)).rejects.toMatchObject({ name: "MemberError", code: "LISTEN" });
    squatter.close();
    await using server = await startServer(config);
    expect(server.clientUrls).toEqual(config.listenClientUrls);
  });

  test("names the option and the value of a bad configuration, and touches nothing", async () => {
    const bad = startServer({ ...config, heartbeatInterval: 300 });
    await expect(bad).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringMatching(/^Invalid value .* for electionTimeout: must be at least 5 times/),
    });
    await expect(startServer({ ...config, nonsense: 1 } as never)).rejects.toThrow("Unknown option 'nonsense'");
    expect(await readdir(directory)).toEqual([]);
  });
});
