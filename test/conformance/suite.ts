/** @module The suite: every scenario against two servers, their answers compared. */
import type { EtcdVersion } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDriver, type Driver } from "./grpc-driver.ts";
import { runScenario, type Shown } from "./run-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios/index.ts";

/** A running server, shared by many scenarios or started for one. */
export interface Server extends AsyncDisposable {
  /** Where it serves clients, as `host:port`. */
  readonly endpoint: string;
}

/** One side of the comparison. */
export interface Side {
  /** For people, such as `etcd 3.4`. */
  readonly name: string;
  /** The line of etcd it is, whose known differences are then not expected to be equal. */
  readonly version?: EtcdVersion;
  /** Starts a server nothing has been done on. */
  start(): Promise<Server>;
}

/** Registers a test for each scenario that holds the answers of the right side against those of the left. */
export function suite(left: Side, right: Side): void {
  describe(`${right.name} answers as ${left.name}`, () => {
    let sides: readonly [Connected, Connected];
    beforeAll(async () => {
      sides = await Promise.all([connect(left), connect(right)]);
    });
    afterAll(async () => {
      await Promise.all((sides ?? []).map((side) => side[Symbol.asyncDispose]()));
    });

    describe.each(Object.entries(scenarios))("%s", (_topic, every) => {
      const cases = every.filter(({ since = "3.4" }) => [left, right].every(({ version = since }) => version >= since));
      it.each(cases.map((each) => [each.title, each] as const))("%s", async (_title, each) => {
        const [expected, actual] = await Promise.all([
          showOf(each, left, each.fresh ? undefined : sides[0].driver),
          showOf(each, right, each.fresh ? undefined : sides[1].driver),
        ]);
        expectSame({ side: left, shown: expected }, { side: right, shown: actual });
      });
    });
  });
}

/** What the steps of a case showed of one side. */
interface Showing {
  readonly side: Side;
  readonly shown: readonly { readonly differs: Partial<Record<EtcdVersion, string>> }[];
}

/**
 * Expects both sides to have shown the same, but where a step is noted to differ, something else: a difference that is
 * gone is told as well, for its note and its row in the table are then stale.
 */
export function expectSame(left: Showing, right: Showing): void {
  const rowOf = ({ differs }: Showing["shown"][number], { version }: Side) => version && differs[version];
  const differs = (step: Showing["shown"][number]) => rowOf(step, left.side) !== rowOf(step, right.side);
  expect(right.shown.filter((step) => !differs(step))).toEqual(left.shown.filter((step) => !differs(step)));
  for (const [at, step] of left.shown.entries()) {
    if (differs(step)) expect(right.shown[at], "a difference that is noted").not.toEqual(step);
  }
}

interface Connected extends AsyncDisposable {
  readonly driver: Driver;
}

async function connect(side: Side): Promise<Connected> {
  const server = await side.start();
  const driver = createDriver(server.endpoint);
  return {
    driver,
    async [Symbol.asyncDispose]() {
      driver.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function showOf(each: Scenario, side: Side, shared: Driver | undefined): Promise<Shown[]> {
  if (shared !== undefined) return runScenario(shared, each);
  await using own = await connect(side);
  return await runScenario(own.driver, each);
}
