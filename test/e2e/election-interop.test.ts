/**
 * @module Candidates of etcd's Go package and of `etcdctl elect` take part in the elections of the SDK: one leads at a time,
 * whoever hands over to whom.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Client, connect } from "@conclave/client";
import { createElection, type Election } from "@conclave/election";
import { type BackEndMember, backEnds, etcdAbsence } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type ClientProgram, goAbsence, goProgram } from "../clients/programs.ts";

const name = "interop";
const absence = goAbsence() ?? etcdAbsence();

/** A candidate in a process of its own. */
interface Foreigner extends AsyncDisposable {
  /** Resolves when it says that it leads. */
  readonly leads: Promise<void>;
  /** What it has printed. */
  readonly printed: () => string;
  /** Lets it resign; resolves when it has ended. */
  resign(): Promise<void>;
}

function watchOver(child: ChildProcess, leadsWhen: RegExp, resign: () => void): Foreigner {
  let text = "";
  const ended = once(child, "close");
  const leads = (async () => {
    for await (const chunk of child.stdout ?? []) {
      text += String(chunk);
      if (leadsWhen.test(text)) return;
    }
  })();
  return {
    leads,
    printed: () => text,
    async resign() {
      resign();
      await ended;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function startGo({ binary }: ClientProgram, endpoint: string): Foreigner {
  const child = spawn(binary, ["-endpoints", endpoint, "stand"], { stdio: ["pipe", "pipe", "ignore"] });
  return watchOver(child, /^leads$/m, () => child.stdin?.end("\n"));
}

function startEtcdctl(endpoint: string): Foreigner {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const args = ["--endpoints", endpoint, "elect", name, "etcdctl"];
  const child = spawn("etcdctl", args, { env, stdio: ["ignore", "pipe", "ignore"] });
  return watchOver(child, /^etcdctl$/m, () => child.kill("SIGINT"));
}

/** The values of who leads and who stands behind, in order. */
async function order(election: Election): Promise<readonly string[]> {
  const { leader, candidates } = await election.inspect();
  return [leader, ...candidates].map((candidate) => candidate?.value ?? "nobody");
}

async function untilStands(election: Election, value: string): Promise<void> {
  while (!(await order(election)).includes(value));
}

/** Lets a candidate of ours stand; resolves with its candidacy when it does. */
async function stand(election: Election, id: string, priority: number) {
  const won = election.campaign(id, { id, priority });
  await untilStands(election, id);
  return { won };
}

describe.each(backEnds().slice(0, 2))("an election on $name", ({ absent, start }) => {
  async function onMember(scenario: (client: Client, member: BackEndMember) => Promise<void>): Promise<void> {
    await using member = await start();
    await using client = await connect({ endpoints: [member.endpoint] });
    await scenario(client, member);
  }

  const why = absent ?? absence;
  test.skipIf(why)(
    `is led by candidates in Go, of etcdctl and of ours in turn ${why ?? ""}`,
    { timeout: 300_000 },
    () =>
      onMember(async (client, { endpoint }) => {
        const program = await goProgram();
        const election = createElection(client, name);
        const fences: number[] = [];
        const stop = new AbortController();
        const observing = (async () => {
          for await (const { fence } of election.observe({ signal: stop.signal }))
            if (fences.at(-1) !== fence) fences.push(fence);
        })();

        const first = await election.campaign("first");
        await using go = startGo(program, endpoint);
        await untilStands(election, "go");
        const high = await stand(election, "high", 5);
        // A candidate in Go would take itself for the leader if its key was taken away.
        await expect(first.handOver({ to: "high" })).rejects.toMatchObject({ code: "NO_CANDIDATE" });
        expect((await first.handOver()).successor?.value).toBe("go");
        await go.leads;
        expect(await order(election)).toEqual(["go leads", "high"]);

        await using etcdctl = startEtcdctl(endpoint);
        await untilStands(election, "etcdctl");
        await go.resign();
        expect(go.printed()).toContain("leads");
        const second = await high.won;
        expect((await second.handOver()).successor?.value).toBe("etcdctl");
        await etcdctl.leads;

        const [low, best] = [await stand(election, "low", 1), await stand(election, "best", 2)];
        await using goAgain = startGo(program, endpoint);
        await untilStands(election, "go");
        await etcdctl.resign();
        const third = await low.won;
        const passed = await stand(election, "passed", 0);
        // Past nobody: the best of ours stands first.
        expect((await third.handOver({ to: "best" })).passedOver).toEqual([]);
        const fourth = await best.won;
        expect(goAgain.printed()).not.toContain("leads");
        await fourth.resign();
        await goAgain.leads;
        expect(await order(election)).toEqual(["go leads", "passed"]);
        await goAgain.resign();
        await (await passed.won).resign();

        stop.abort();
        await expect(observing).rejects.toMatchObject({ code: "ABORTED" });
        // Every leader was seen, and each had a higher fence than the one before.
        expect(fences.length).toBeGreaterThanOrEqual(7);
        expect(fences).toEqual([...new Set(fences)].sort((one, other) => one - other));
      }),
  );

  test.skipIf(why)(`passes ours over while a candidate in Go waits ${why ?? ""}`, { timeout: 300_000 }, () =>
    onMember(async (client, { endpoint }) => {
      const program = await goProgram();
      const election = createElection(client, name);
      const first = await election.campaign("first");
      const passed = await stand(election, "passed", 0);
      const chosen = await stand(election, "chosen", 1);
      await using go = startGo(program, endpoint);
      await untilStands(election, "go");
      await first.handOver();
      const second = await chosen.won;
      // The one that was passed over stands again, behind the one in Go, which still waits.
      while ((await order(election)).length < 3);
      expect(await order(election)).toEqual(["chosen", "go", "passed"]);
      expect(go.printed()).not.toContain("leads");
      await second.resign();
      await go.leads;
      await go.resign();
      await (await passed.won).resign();
    }),
  );
});
