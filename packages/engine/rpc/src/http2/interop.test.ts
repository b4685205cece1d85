/** @module Clients that others have written, each with tables and frames of its own making. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { frameMessage } from "../message-frame.ts";
import { keyValue } from "../testing/echo-service.ts";
import { RawClient } from "../testing/raw-client.ts";
import { type EchoServer, startEchoServer } from "../testing/start-server.ts";

const run = promisify(execFile);
const path = "/test.Echo/Say";

async function isAbsent(program: string): Promise<boolean> {
  return await run(program, ["--version"]).then(
    () => false,
    () => true,
  );
}

const [noCurl, noNghttp] = await Promise.all([isAbsent("curl"), isAbsent("nghttp")]);

let echo: EchoServer;
let directory: string;
let request: string;
/** Longer than every window that a client announces by itself. */
const message = frameMessage(KeyValue.encode(keyValue("echo", "a".repeat(300_000))).finish());
beforeAll(async () => {
  echo = await startEchoServer();
  directory = await mkdtemp(join(tmpdir(), "conclave-rpc-"));
  request = join(directory, "request");
  await writeFile(request, message);
});
afterAll(async () => {
  await echo[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const fields = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
const output = { encoding: "buffer", maxBuffer: 4_000_000 } as const;

// Processes take long to start on a busy machine.
describe("a call that is answered with as much as was sent", { timeout: 30_000 }, () => {
  test.skipIf(noCurl)(`by curl ${noCurl ? "(Debian's package curl)" : ""}`, async () => {
    const head = join(directory, "curl-head");
    const args = ["--silent", "--http2-prior-knowledge", "--data-binary", `@${request}`, "--dump-header", head];
    const { stdout } = await run("curl", [...args, ...fields, `${echo.url}${path}`], output);
    expect(stdout).toEqual(message);
  });

  test.skipIf(noNghttp)(`by nghttp ${noNghttp ? "(Debian's package nghttp2-client)" : ""}`, async () => {
    const { stdout } = await run(
      "nghttp",
      ["--no-verify-peer", `--data=${request}`, ...fields, `${echo.url}${path}`],
      output,
    );
    expect(stdout).toEqual(message);
  });

  test("by node:http2, which compresses every character of its header fields", async () => {
    using client = new RawClient(echo.url);
    const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, at) => 32 + at)).trim();
    for (let times = 0; times < 3; times++) {
      const asked = frameMessage(KeyValue.encode(keyValue("metadata")).finish());
      const { headers } = await client.send(path, [asked], { asked: printable });
      expect(headers?.given).toBe(`${printable}!`);
    }
  });
});
