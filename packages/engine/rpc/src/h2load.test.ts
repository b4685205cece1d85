import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { keyValue } from "./testing/echo-service.ts";
import { openCalls, startEchoServer } from "./testing/start-server.ts";

const run = promisify(execFile);
const isInstalled = spawnSync("h2load", ["--version"]).status === 0;

// An HTTP/2 client that is neither Node's nor Go's.
describe.skipIf(!isInstalled)("h2load (skipped without Debian's package nghttp2-client)", () => {
  test.each([
    ["100 connections", ["-c100", "-m1"]],
    ["10 connections of 100 streams", ["-c10", "-m100"]],
  ])("gets every answer over %s", { timeout: 60_000 }, async (_name, load) => {
    await using echo = await startEchoServer();
    const directory = await mkdtemp(join(tmpdir(), "conclave-rpc-"));
    try {
      const body = join(directory, "request");
      await writeFile(body, frameMessage(KeyValue.encode(keyValue("later", "x".repeat(256))).finish()));
      const { stdout } = await run("h2load", [
        ...load,
        ...["-n5000", "-d", body, "-H", "content-type: application/grpc", `${echo.url}/test.Echo/Say`],
      ]);
      expect(stdout).toContain("5000 succeeded, 0 failed, 0 errored, 0 timeout");
      const say = echo.server.stats.find(({ method }) => method === "Say");
      expect(say).toMatchObject({ started: 5000, received: 5000, sent: 5000, handled: new Map([[0, 5000]]) });
      expect(openCalls(echo.server)).toBe(0);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
