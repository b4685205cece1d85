import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  checkKvLinearizability,
  type KvAnswer,
  type KvOperation,
  operationsOf,
  parseHistory,
} from "@conclave/checkers";
import { connect } from "@conclave/client";
import { PutResponse, RangeRequest, TxnResponse, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { type BackEndMember, backEnds, startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Lie, startLyingProxy } from "../testing/lying-proxy.ts";
import { type CliRun, runCli } from "../testing/run-cli.ts";
import type { VerifyReport } from "../verify/report.ts";

const brief = ["--duration=1500ms", "--rate=300", "-w=json"];

describe.each(backEnds())("verify on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 60_000 }, () => {
    let member: BackEndMember;
    let directory: string;
    beforeAll(async () => {
      member = await start();
      directory = await mkdtemp(join(tmpdir(), "conclave-verify-"));
    });
    afterAll(async () => {
      await member[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });

    test("finds that it keeps what it promises, reports so, and leaves nothing behind", async () => {
      await using client = await connect({ endpoints: [member.endpoint] });
      await client.put("of/others", "0");
      const busy = new AbortController();
      const others = (async () => {
        for (let value = 1; !busy.signal.aborted; value++) await client.put("of/others", String(value));
      })();
      const files = { report: join(directory, "report.json"), history: join(directory, "history.jsonl") };
      const args = [`--report=${files.report}`, `--history=${files.history}`, "--prefix=verify/"];
      const { out, err, exit } = await runCli(["verify", ...brief, ...args, `--endpoints=${member.endpoint}`]);
      busy.abort();
      await others;
      expect({ err, exit }).toEqual({ err: "", exit: 0 });
      const report = JSON.parse(out) as VerifyReport;
      expect(JSON.parse(await readFile(files.report, "utf8"))).toEqual(report);
      expect(report).toMatchObject({ verdict: "holds", isTidy: true, workload: { clients: 8, keys: 5 } });
      expect(report.checks.map(({ holds }) => holds)).toEqual([true, true, true, true]);
      for (const { checked } of report.checks) expect(checked).toBeGreaterThan(30);
      const [steady, resumed] = report.watches;
      expect([steady?.resumed, steady?.events]).toEqual([0, resumed?.events]);
      expect(resumed?.resumed).toBeGreaterThan(0);
      const history = parseHistory<KvOperation, KvAnswer>(await readFile(files.history, "utf8"));
      expect(checkKvLinearizability(operationsOf(history))).toMatchObject({ kind: "ok" });
      expect((await client.range({ key: Buffer.from("verify/"), rangeEnd: Buffer.from("verify0") })).kvs).toEqual([]);
    });
  });
});

/** Serves a range that was asked for before as it was answered then, time and again; old serializable reads are no lie. */
function staleRead(): Lie {
  const answers = new Map<string, Buffer>();
  let asked = 0;
  return {
    path: "/etcdserverpb.KV/Range",
    tell(answer, request) {
      if (RangeRequest.decode(request).serializable) return [answer];
      const before = answers.get(request.toString("hex"));
      if (before === undefined) answers.set(request.toString("hex"), Buffer.from(answer));
      return [before !== undefined && ++asked % 5 === 0 ? before : answer];
    },
  };
}

/** Changes the n-th response of each watch that tells of events. */
function watchLie(nth: number, change: (response: WatchResponse) => readonly WatchResponse[]): () => Lie {
  return () => {
    let told = 0;
    return {
      path: "/etcdserverpb.Watch/Watch",
      tell(answer) {
        const response = WatchResponse.decode(answer);
        if (response.events.length === 0 || ++told !== nth) return [answer];
        return change(response).map((each) => WatchResponse.encode(each).finish());
      },
    };
  };
}

/** Tells of a revision with several events in several responses. */
function tornRevision(): Lie {
  return {
    path: "/etcdserverpb.Watch/Watch",
    tell(answer) {
      const response = WatchResponse.decode(answer);
      if (response.events.length < 2) return [answer];
      return response.events.map((event) => WatchResponse.encode({ ...response, events: [event] }).finish());
    },
  };
}

/** Acknowledges a put at the revision of the one before it. */
function doubledRevision(): Lie {
  let puts = 0;
  return {
    path: "/etcdserverpb.KV/Put",
    tell(answer) {
      const { header } = PutResponse.decode(answer);
      if (header === undefined || ++puts !== 5) return [answer];
      return [
        PutResponse.encode(PutResponse.fromPartial({ header: { ...header, revision: header.revision - 1 } })).finish(),
      ];
    },
  };
}

/** Says of a transaction that its conditions held, when they did not. */
function wrongBranch(): Lie {
  return {
    path: "/etcdserverpb.KV/Txn",
    tell(answer) {
      const response = TxnResponse.decode(answer);
      const [first] = response.responses;
      if (response.succeeded || first?.response?.$case !== "responseRange") return [answer];
      const put = { response: { $case: "responsePut", value: PutResponse.fromPartial({}) } } as const;
      return [TxnResponse.encode({ ...response, succeeded: true, responses: [put] }).finish()];
    },
  };
}

const lies: readonly { readonly name: string; readonly lie: () => Lie; readonly rules: RegExp }[] = [
  { name: "a read of what was there before", lie: staleRead, rules: /^real-time$/ },
  { name: "a watch that loses events", lie: watchLie(5, () => []), rules: /^(gap|resume)$/ },
  { name: "a watch that tells events twice", lie: watchLie(5, (each) => [each, each]), rules: /^unique$/ },
  { name: "a watch that tells a revision in parts", lie: tornRevision, rules: /^atomic$/ },
  {
    name: "a put that is acknowledged at another one's revision",
    lie: doubledRevision,
    rules: /^(written-twice|wrong-content|lost-write)$/,
  },
  {
    name: "a transaction that says it was done and was not",
    lie: wrongBranch,
    rules: /^(lost-write|written-twice|wrong-content)$/,
  },
];

describe("verify on a server that lies", { timeout: 60_000 }, () => {
  let member: TestMember;
  beforeAll(async () => {
    member = await startMember();
  });
  afterAll(async () => {
    await member[Symbol.asyncDispose]();
  });

  /** Lets the clients work until they were lied to often enough: one stale read alone may be a read that was under way. */
  async function verifyLiar(lie: Lie, ...args: readonly string[]): Promise<CliRun> {
    const enough = new AbortController();
    let left = lie.path.endsWith("Range") ? 5 : 1;
    await using proxy = await startLyingProxy(member.url, lie, () => {
      if (--left === 0) enough.abort();
    });
    const endless = ["--duration=60s", "--rate=300", `--endpoints=${proxy.endpoint}`];
    return await runCli(["verify", ...endless, ...args], { signal: enough.signal });
  }

  test.each(lies)("catches $name, and shows the answers that contradict each other", async ({ lie, rules }) => {
    const { out, err, exit } = await verifyLiar(lie(), "-w=json");
    expect({ err, exit }).toEqual({ err: "", exit: 1 });
    const { verdict, checks } = JSON.parse(out) as VerifyReport;
    expect(verdict).toBe("violated");
    const violations = checks.flatMap((check) => check.violations);
    expect(violations.map(({ rule }) => rule)).toContainEqual(expect.stringMatching(rules));
    for (const { message } of violations) expect(message).toMatch(/(revision|mod) \d+/);
  });

  test("shows people what is wrong", async () => {
    const { out } = await verifyLiar(staleRead());
    expect(out).toMatch(/^FAIL every answer fits .*\n {5}real-time: #\d+ client-\d .* had been told before/m);
    expect(out).toMatch(/\nVIOLATED: .*\n$/);
  });
});

describe("verify cannot judge", { timeout: 60_000 }, () => {
  test("servers that do not answer", async () => {
    const { err, exit } = await runCli(["verify", "--endpoints=127.0.0.1:1", "--command-timeout=300ms"]);
    expect(exit).toBe(2);
    expect(err).toMatch(/^Error: could not judge: /);
  });

  test.each([
    [["--rate=0"], "--rate must be between 1 and 100000: current value is 0"],
    [["--keys=-1"], "--keys must be between 1 and 1000: current value is -1"],
    [["--rate=10000", "--duration=1h"], /^--duration must be above 0, and times --rate at most 100000 operations/],
    [["now"], "verify takes no arguments"],
  ])("a run with %j", async (args, message) => {
    const { err, exit } = await runCli(["verify", ...args]);
    expect(exit).toBe(128);
    expect(err).toMatch(
      message instanceof RegExp ? new RegExp(`^Error: ${message.source.slice(1)}`) : `Error: ${message}\n`,
    );
  });

  test("a prefix under which there are keys: they are not its own to remove", async () => {
    await using member = await startMember();
    await using client = await connect({ endpoints: [member.endpoint] });
    await client.put("mine/a", "1");
    const { err, exit } = await runCli(["verify", "--prefix=mine/", `--endpoints=${member.endpoint}`]);
    expect({ err, exit }).toEqual({ err: 'Error: there are keys that start with "mine/" already\n', exit: 3 });
    expect(await client.getString("mine/a")).toBe("1");
  });
});
