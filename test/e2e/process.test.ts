import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { describe, expect, test } from "vitest";
import { Conclave, conclave, makePlace } from "./conclave.ts";
import { openWatches } from "./watch-streams.ts";

/** Within this a member has ended after a signal. */
const stopMsMax = 1_500;
/** The gRPC status of a stream whose member stops. */
const unavailable = "14";

/** Everything that was printed, each line parsed: it throws on a line that is no JSON. */
function logOf(run: Conclave): readonly Readonly<Record<string, unknown>>[] {
  return run.lines.map((line) => JSON.parse(line));
}

describe("bin/conclave", () => {
  test("keeps its data in default.etcd of the working directory unless told otherwise", async () => {
    await using place = await makePlace();
    const flags = place.flags.filter((flag) => !/^--(name|data-dir|initial-cluster)=/.test(flag));
    await using run = new Conclave(flags, { cwd: place.directory });
    await run.ready();
    expect(await readdir(place.directory)).toEqual(["default.etcd"]);
  });

  test("shows its flags", async () => {
    const { status, stdout, stderr } = await conclave(["--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const flag of ["--data-dir", "--listen-client-urls", "--listen-peer-urls", "--snapshot-count"])
      expect(stdout).toContain(flag);
  });

  test("prints the API level and its own version", async () => {
    expect(await conclave(["--version"])).toEqual({
      status: 0,
      signal: null,
      stdout: expect.stringMatching(/^etcd Version: \d+\.\d+\.\d+\nConclave Version: \d+\.\d+\.\d+\n$/),
      stderr: "",
    });
  });

  test("logs JSON lines with level, ts, caller and msg, and prints nothing else", async () => {
    await using place = await makePlace();
    await using run = new Conclave(place.flags, { env: { ETCD_NOT_AN_OPTION: "x" } });
    await run.ready();
    const { status, stdout } = await run.signal("SIGTERM");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    const log = logOf(run);
    for (const line of log) {
      expect(line).toMatchObject({ level: expect.any(String), caller: expect.any(String), msg: expect.any(String) });
      expect(Number.isFinite(Date.parse(String(line.ts)))).toBe(true);
    }
    expect(log.filter(({ msg }) => msg === "ready to serve client requests")).toHaveLength(1);
  });
});

describe("a signal", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s ends the member with status 0 in time, whatever is connected to it",
    async (signal) => {
      await using place = await makePlace();
      await using run = await new Conclave(place.flags).ready();
      await using watches = await openWatches(place.endpoint, { connections: 10, streamsPerConnection: 10 });
      const silent = connectTcp(Number(place.endpoint.split(":")[1]), "127.0.0.1").on("error", () => {});
      const idle = connectHttp2(`http://${place.endpoint}`).on("error", () => {});
      await Promise.all([once(silent, "connect"), once(idle, "connect")]);
      const { status, tookMs } = await run.signal(signal);
      expect(status).toBe(0);
      expect(tookMs).toBeLessThan(stopMsMax);
      expect(await watches.statuses).toEqual(Array.from({ length: 100 }, () => unavailable));
      silent.destroy();
      idle.destroy();
    },
  );

  test("ends 10 000 open streams", async ({ annotate }) => {
    await using place = await makePlace();
    await using run = await new Conclave(place.flags).ready();
    await using watches = await openWatches(place.endpoint, { connections: 40, streamsPerConnection: 250 });
    const { status, tookMs } = await run.signal("SIGTERM");
    expect(status).toBe(0);
    const told = (await watches.statuses).filter((each) => each === unavailable).length;
    // How many are told within the grace, and how long it takes, is a matter of the machine's speed.
    await annotate(`stopped in ${Math.round(tookMs)} ms; ${told} of 10 000 streams were told why`);
    expect(told).toBeGreaterThan(0);
  });

  test("ends the member at once if it is the second one", async () => {
    await using place = await makePlace();
    await using run = await new Conclave(place.flags).ready();
    // Both wait when the process wakes, so the second comes while the first stop is under way.
    run.child.kill("SIGSTOP");
    run.child.kill("SIGINT");
    run.child.kill("SIGTERM");
    expect((await run.signal("SIGCONT")).status).toBe(null);
    expect(run.child.signalCode).toBe("SIGKILL");
    expect(logOf(run).some(({ msg }) => msg === "stopped")).toBe(false);
  });
});
