import { existsSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type EtcdVersion, etcdAbsence, etcdAvailable, startEtcd } from "./etcd-process.ts";

const version = async (url: string): Promise<string> => {
  const reply = (await (await fetch(`${url}/version`)).json()) as { etcdserver: string };
  return reply.etcdserver;
};

describe.each<EtcdVersion>(["3.4", "3.5"])("startEtcd() of %s", (line) => {
  const absent = etcdAbsence(line);

  it.skipIf(absent)(`starts a server of that line ${absent ?? ""}`, async () => {
    await using etcd = await startEtcd({ version: line });
    expect(await version(etcd.url)).toMatch(new RegExp(`^${line.replace(".", "\\.")}\\.`));
    expect(etcd.url).toBe(`http://${etcd.endpoint}`);
  });

  it.skipIf(absent)(`starts again after a kill and leaves nothing behind ${absent ?? ""}`, async () => {
    let dataDir: string;
    let pid: number;
    {
      await using etcd = await startEtcd({ version: line });
      ({ dataDir, pid } = etcd);
      await etcd.kill();
      await expect(version(etcd.url)).rejects.toThrow("fetch failed");
      await etcd.restart();
      expect(await version(etcd.url)).toMatch(line);
      expect(etcd.pid).not.toBe(pid);
      ({ pid } = etcd);
    }
    expect(existsSync(dataDir)).toBe(false);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it.skipIf(absent)(`shows etcd's own words when it cannot start ${absent ?? ""}`, async () => {
    await expect(startEtcd({ version: line, flags: ["--no-such-flag"] })).rejects.toThrow("no-such-flag");
  });
});

describe("etcdAbsence()", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it("names what to install, and where comparisons are required throws it", () => {
    vi.stubEnv("PATH", "/nonexistent");
    vi.stubEnv("CI_REQUIRE_PEERS", "");
    expect(etcdAvailable()).toBe(false);
    expect(etcdAbsence()).toBe("etcd-server is not installed: apt-get install etcd-server");
    vi.stubEnv("CI_REQUIRE_PEERS", "1");
    expect(() => etcdAbsence()).toThrow("etcd-server is not installed");
  });
});
