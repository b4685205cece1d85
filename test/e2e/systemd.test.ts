/** @module The service of a system: readiness, as systemd is told of it, and the files that make it one. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { Conclave, makePlace } from "./conclave.ts";

const root = join(import.meta.dirname, "..", "..");

/** Listens as systemd does, and prints what it is told, a line for each message. Node has no such sockets. */
const listener = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(server.recv(4096).decode().replace("\\n", " "), flush=True)
`;

/** What systemd heard, as it comes, but for the barriers by which its tool waits until it was heard. */
async function* messages(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout === null) return;
  for await (const line of createInterface({ input: child.stdout })) if (!line.startsWith("BARRIER=")) yield line;
}

function absence(): string | undefined {
  if (spawnSync("python3", ["--version"]).status !== 0) return "python3 is not installed";
  return spawnSync("systemd-notify", ["--version"]).status === 0 ? undefined : "systemd-notify is not installed";
}
const absent = absence();

describe.skipIf(absent)(`systemd ${absent ?? ""}`, () => {
  test("hears that the member is ready once it serves, and that it stops", async () => {
    await using place = await makePlace();
    const socket = join(place.directory, "notify");
    const systemd = spawn("python3", ["-c", listener, socket], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const heard = messages(systemd);
      expect((await heard.next()).value).toBe("listening");
      await using member = new Conclave(place.flags, { env: { NOTIFY_SOCKET: socket } });
      const ready: string = (await heard.next()).value ?? "";
      expect(ready).toContain("READY=1");
      expect(member.lines.join()).toContain("ready to serve client requests");
      const stopped = member.signal("SIGTERM");
      expect((await heard.next()).value).toContain("STOPPING=1");
      expect(await stopped).toMatchObject({ status: 0 });
    } finally {
      systemd.kill("SIGKILL");
      await once(systemd, "close");
    }
  });

  test("that cannot be told stops nothing", async () => {
    await using place = await makePlace();
    const socket = join(place.directory, "nobody-listens");
    await using member = await new Conclave(place.flags, { env: { NOTIFY_SOCKET: socket } }).ready();
    expect(await member.signal("SIGTERM")).toMatchObject({ status: 0 });
    expect(member.lines.join()).toContain("cannot tell systemd how the service is");
  });
});

const analyzeAbsent =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? undefined : "systemd-analyze is not installed";

test.skipIf(analyzeAbsent)(`the unit file is one that systemd takes ${analyzeAbsent ?? ""}`, async () => {
  await using place = await makePlace();
  const unit = await readFile(join(root, "docs", "systemd", "conclave.service"), "utf8");
  const path = join(place.directory, "conclave.service");
  await mkdir(place.directory, { recursive: true });
  await writeFile(path, unit.replace("/opt/conclave/bin/conclave", join(root, "bin", "conclave")));
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
  expect({ status, stderr: stderr.split("\n").filter((line) => line.includes("conclave.service")) }).toEqual({
    status: 0,
    stderr: [],
  });
});
