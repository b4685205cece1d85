/** @module A member with a real raft behind a real network, in memory: enough to follow, to acknowledge and to vote. */
import { confChangeOf, createRawNode, type Entry, MemoryLogStorage, type Message, type RawNode } from "@conclave/raft";
import { type TestMember, type TestMemberOptions, testMember, testRandom } from "./test-member.ts";

/** A member that follows. */
export interface RaftMember extends AsyncDisposable {
  readonly member: TestMember;
  readonly node: RawNode;
  /** What was applied. */
  readonly applied: readonly Entry[];
  /** The messages it was sent. */
  readonly received: readonly Message[];
  /** The databases that came with snapshots. */
  readonly databases: readonly Uint8Array[];
  /** Starts its clock: ticks of 100 ms, elections after ten of them. */
  startClock(): void;
}

const tickMs = 100;

/** Starts a member that knows nobody. Until its clock is started it answers, and never campaigns by itself. */
export async function raftMember(options: TestMemberOptions): Promise<RaftMember> {
  const storage = new MemoryLogStorage();
  const node = createRawNode({ id: options.id, electionTicks: 10, heartbeatTicks: 1, storage, random: testRandom });
  const [applied, received, databases]: [Entry[], Message[], Uint8Array[]] = [[], [], []];
  const apply = (entry: Entry) => {
    applied.push(entry);
    const change = confChangeOf(entry);
    if (change !== undefined) node.applyConfChange(change);
  };
  const drain = () => {
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.snapshot !== undefined) storage.applySnapshot(ready.snapshot);
      storage.append(ready.entries);
      member.transport.send(ready.messages);
      for (const entry of ready.committedEntries) apply(entry);
      node.advance(ready);
    }
  };
  const take = (message: Message) => {
    received.push(message);
    node.step(message);
    drain();
  };
  const member: TestMember = await testMember({
    ...options,
    receiver: {
      async onSnapshot(message, database) {
        const pieces: Uint8Array[] = [];
        for await (const piece of database) pieces.push(piece);
        databases.push(Buffer.concat(pieces));
        take(message);
        member.changed();
      },
      onMessage(message) {
        take(message);
        member.changed();
      },
      ...options.receiver,
    },
  });
  let clock: NodeJS.Timeout | undefined;
  return {
    member,
    node,
    applied,
    received,
    databases,
    startClock() {
      clock = setInterval(() => {
        node.tick();
        drain();
        member.changed();
      }, tickMs);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(clock);
      await member.transport.close();
    },
  };
}
