/** @module `RWMutex` of etcd's Go package `recipes` and the read-write lock of the SDK exclude each other, in both directions. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { connect } from "@conclave/client";
import { createReadWriteLock, type ReadWriteLock } from "@conclave/lock";
import { backEnds, etcdAbsence } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { goAbsence, goProgram } from "../clients/programs.ts";

const absence = goAbsence() ?? etcdAbsence();

/** A process on the Go client that reads, and then writes. */
class GoContender implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(binary: string, endpoint: string) {
    const child = spawn(binary, ["-endpoints", endpoint, "readwrite"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    this.#ended = once(child, "close");
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The next thing that it says, but for the name of its scenario. */
  async says(): Promise<string> {
    const { value } = await this.#lines.next();
    return value === "== readwrite" ? await this.says() : value;
  }

  giveUp(): void {
    this.#child.stdin?.write("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Waits until those who wait are so many readers and writers. */
async function untilWait(lock: ReadWriteLock, sides: readonly ("read" | "write")[]): Promise<void> {
  while ((await lock.inspect()).waiters.map(({ side }) => side).join() !== sides.join());
}

describe.each(backEnds().slice(0, 2))("a read-write lock on $name", ({ absent, start }) => {
  const why = absent ?? absence;
  test.skipIf(why)(`is shared with readers and writers in Go ${why ?? ""}`, { timeout: 300_000 }, async () => {
    const { binary } = await goProgram();
    await using member = await start();
    await using client = await connect({ endpoints: [member.endpoint] });
    const lock = createReadWriteLock(client, "interop");
    const reader = await lock.read.acquire();
    await using go = new GoContender(binary, member.endpoint);
    expect(await go.says()).toBe("reads");
    expect((await lock.inspect()).holders.map(({ side }) => side)).toEqual(["read", "read"]);
    expect(await lock.write.tryAcquire()).toBeUndefined();

    const writing = lock.write.acquire();
    await untilWait(lock, ["write"]);
    await reader.release();
    // The reader in Go is still there; when it goes, it stands behind as a writer.
    expect((await lock.inspect()).waiters.map(({ side }) => side)).toEqual(["write"]);
    go.giveUp();
    const writer = await writing;
    await untilWait(lock, ["write"]);
    const reading = lock.read.acquire();
    await untilWait(lock, ["write", "read"]);
    await writer.release();
    expect(await go.says()).toBe("writes");
    expect((await lock.inspect()).waiters.map(({ side }) => side)).toEqual(["read"]);
    go.giveUp();
    await (await reading).release();
    expect((await lock.inspect()).holders).toEqual([]);
  });
});
