import type { Member } from "@conclave/server";
import { describe, expect, it } from "vitest";
import { SimulatedCluster } from "./simulated-cluster.ts";

/** A cluster that has started. */
async function started(members = 3): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed: 1, members });
  await cluster.run(() => cluster.start());
  return cluster;
}

describe("SimulatedCluster", () => {
  it("elects a leader, and another one when the first loses its power; nothing acknowledged is lost", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const first = await cluster.waitForLeader();
      const { client } = cluster.client();
      await client.put("key", "before");
      cluster.crash(first);
      const second = await cluster.waitForLeader();
      expect(second).not.toBe(first);
      expect((await client.get("key"))?.valueString).toBe("before");
      await client.put("key", "between");
      await cluster.restart(first);
      await cluster.sleep(1_000);
      const { member } = cluster.machine(first);
      expect(member?.store.currentRevision).toBe(cluster.machine(second).member?.store.currentRevision);
    });
    expect(cluster.failures).toEqual([]);
  });

  it("shows every member as it was when it ended, with what nobody else had heard from it yet", async () => {
    const ended: { readonly name: string; readonly commit: number }[] = [];
    const onEnd = ({ settings, raftStatus }: Member): void =>
      void ended.push({ name: settings.name, commit: raftStatus.commit });
    const cluster = new SimulatedCluster({ seed: 1, members: 1, onEnd });
    await cluster.run(async () => {
      await cluster.start();
      const { client } = cluster.client();
      await client.put("key", "value");
      const known = cluster.machine("m1").member?.raftStatus.commit;
      cluster.crash("m1");
      expect(ended).toEqual([{ name: "m1", commit: known }]);
      await cluster.restart("m1");
      await cluster.stop("m1");
      expect(ended.map(({ name }) => name)).toEqual(["m1", "m1"]);
    });
  });

  it("kills a client wherever it stands: nothing that was under way in it goes on", async () => {
    const cluster = await started(1);
    await cluster.run(async () => {
      const watching = cluster.client();
      for (let at = 0; at < 8; at++) {
        const { client, time } = cluster.client();
        void (async () => {
          // Killed between two answers of a chain like those of a session or a registration.
          for (let step = 0; ; step++) await client.put(`chain/${at}`, `${step}`);
        })();
        await cluster.sleep(5 + 1.7 * at);
        // As when a kill meets a client that has just been answered, and whose next step is a microtask away.
        const answered = client.get("chain").then(() => client.put(`late/${at}`, ""));
        answered.catch(() => {});
        await cluster.sleep(0.3 * at);
        time.kill();
        await cluster.sleep(1_000);
        const before = await watching.client.get(`chain/${at}`);
        const late = await watching.client.get(`late/${at}`);
        await cluster.sleep(10_000);
        expect((await watching.client.get(`chain/${at}`))?.modRevision).toBe(before?.modRevision);
        expect((await watching.client.get(`late/${at}`))?.modRevision).toBe(late?.modRevision);
        await expect(Promise.race([client.get("chain"), cluster.sleep(60_000)])).resolves.toBeUndefined();
      }
    });
  });

  it("takes no writes without a majority, and takes them again when the partition ends", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const { client } = cluster.client({ timeoutMs: 3_000 });
      const leader = await cluster.waitForLeader();
      const others = [...cluster.machines.keys()].filter((name) => name !== leader);
      cluster.crash(others[0] as string);
      cluster.isolate(others[1] as string);
      await expect(client.put("key", "value")).rejects.toThrow();
      cluster.heal();
      await cluster.waitForLeader();
      await client.put("key", "later");
    });
  });

  it("deposes a leader that is cut off, and one that is stopped", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const first = await cluster.waitForLeader();
      cluster.isolate(first);
      await cluster.sleep(5_000);
      const second = await cluster.waitForLeader();
      expect(second).not.toBe(first);
      expect(cluster.machine(first).member?.role).not.toBe("leader");
      cluster.heal();
      cluster.pause(second);
      await cluster.sleep(5_000);
      cluster.resume(second);
      await cluster.sleep(1_000);
      expect(await cluster.waitForLeader()).not.toBe(second);
      expect(cluster.machine(second).member?.role).toBe("follower");
    });
  });

  it("keeps its leader through a short pause, and through any jump of a wall clock", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const leader = await cluster.waitForLeader();
      const term = cluster.machine(leader).member?.raftStatus.term;
      cluster.pause(leader);
      await cluster.sleep(500);
      cluster.resume(leader);
      for (const byMs of [3_600_000, -7_200_000]) {
        cluster.jumpWall(leader, byMs);
        await cluster.sleep(3_000);
      }
      expect(cluster.leader()).toBe(leader);
      expect(cluster.machine(leader).member?.raftStatus.term).toBe(term);
    });
  });

  it("grows, shrinks and takes a member back that has lost everything", async () => {
    const cluster = await started(1);
    await cluster.run(async () => {
      const { client } = cluster.client();
      await client.put("key", "value");
      for (const _ of [2, 3]) await cluster.promote(await cluster.addMember());
      expect((await client.cluster.memberList()).members.map(({ isLearner }) => isLearner)).toEqual([
        false,
        false,
        false,
      ]);
      await cluster.wipe("m3");
      await cluster.sleep(1_000);
      expect(cluster.machine("m3").member?.store.currentRevision).toBe(2);
      await cluster.removeMember("m2");
      await cluster.sleep(5_000);
      expect(cluster.machine("m2").state).toBe("removed");
      expect((await client.cluster.memberList()).members.map(({ name }) => name).sort()).toEqual(["m1", "m3"]);
    });
    expect(cluster.failures).toEqual([]);
  });

  it("calls a member removed that does not start as its own store says so", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const leader = await cluster.waitForLeader();
      const { member } = cluster.machine(leader);
      await cluster.removeMember(leader);
      await member?.removed;
      // It loses its power when that is in its store and it has not left yet.
      await cluster.sleep(500);
      cluster.crash(leader);
      await expect(cluster.restart(leader)).rejects.toMatchObject({ code: "REMOVED" });
      expect(cluster.machine(leader).state).toBe("removed");
      await cluster.rejoin(leader);
      expect(cluster.machine(leader).state).toBe("running");
    });
    expect(cluster.failures).toEqual([]);
  });

  it("stops a member whose disk is full, and lets it come back when there is room", async () => {
    const cluster = await started();
    await cluster.run(async () => {
      const { client } = cluster.client();
      const leader = await cluster.waitForLeader();
      cluster.fullDisk(leader, 0);
      while (cluster.machine(leader).state !== "failed") await client.put("key", "x".repeat(5_000)).catch(() => {});
      cluster.fullDisk(leader, Number.POSITIVE_INFINITY);
      await cluster.restart(leader);
      await client.put("key", "again");
    });
    expect(cluster.failures.map(({ error }) => (error as Error).message)).toEqual([expect.stringContaining("ENOSPC")]);
  });

  it("sends entries one at a time where appends may hold no more", async () => {
    const lengths: number[] = [];
    const cluster = new SimulatedCluster({
      seed: 1,
      settings: { maxMessageBytes: 1 },
      network: { onSend: ({ type, entries }) => void (type === "MsgApp" && lengths.push(entries.length)) },
    });
    await cluster.run(async () => {
      await cluster.start();
      const { client } = cluster.client();
      await Promise.all(Array.from({ length: 20 }, (_, at) => client.put(`key${at}`, "value")));
    });
    expect(Math.max(...lengths)).toBe(1);
  });

  it("says which machine there is none of", () => {
    const cluster = new SimulatedCluster({ seed: 1 });
    expect(() => cluster.crash("m9")).toThrow("no machine 'm9'");
    expect(() => cluster.pause("c1")).toThrow("no machine 'c1'");
  });
});
