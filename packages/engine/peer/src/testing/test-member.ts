/** @module A member as a test needs it: real ports, a receiver that records, and promises for what is to come. */

import { EventEmitter, once } from "node:events";
import type { Clock, Random, Scheduler } from "@conclave/base";
import { createMessage, type Message } from "@conclave/raft";
import { seededRandom } from "@conclave/testkit";
import { createPeerNetwork, type HttpPeerNetwork } from "../http-peer-network.ts";
import type { PeerLimits, PeerLog, PeerLogFields } from "../options.ts";
import type { PeerIdentity, PeerReceiver, PeerTransport } from "../peer-network.ts";

/** The clocks of the machine. */
export const testClock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** The timers of the event loop, and how many of them run. */
export function testScheduler(): Scheduler & { readonly running: number } {
  const running = new Set<NodeJS.Timeout>();
  return {
    get running() {
      return running.size;
    },
    after(delayMs, task, options) {
      const timer = setTimeout(() => {
        running.delete(timer);
        task();
      }, delayMs);
      running.add(timer);
      if (options?.background === true) timer.unref();
      return {
        cancel() {
          running.delete(timer);
          clearTimeout(timer);
        },
      };
    },
    atTurnEnd: (task) => void setImmediate(task),
  };
}

/** Randomness that is the same in every run. */
export const testRandom: Random = seededRandom(1);

/** What was logged. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: PeerLogFields;
}

/** A log that keeps its lines. */
export function testLog(lines: LogLine[]): PeerLog {
  const at = (level: string) => (message: string, fields?: PeerLogFields) => {
    lines.push({ level, message, fields: fields ?? {} });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** How a test member differs from an ordinary one. */
export interface TestMemberOptions {
  readonly id: bigint;
  readonly clusterId?: bigint;
  readonly serverVersion?: string;
  readonly limits?: Partial<PeerLimits>;
  readonly receiver?: Partial<PeerReceiver>;
  /** One, or several with commas between them. */
  readonly listenUrl?: string;
  readonly peerUrls?: readonly string[];
}

/** A member on the loopback interface that records what it is told. */
export interface TestMember extends AsyncDisposable {
  readonly identity: PeerIdentity;
  readonly network: HttpPeerNetwork;
  readonly transport: PeerTransport;
  readonly url: string;
  readonly messages: Message[];
  readonly unreachable: bigint[];
  readonly snapshotStatus: string[];
  readonly log: LogLine[];
  readonly scheduler: Scheduler & { readonly running: number };
  readonly removals: number;
  /** Says that something has happened that {@link TestMember.until} should look at. */
  changed(): void;
  /** Resolves as soon as a condition holds; it is looked at after everything that is told. */
  until(condition: () => boolean): Promise<void>;
}

/** The cluster of members that name no other. */
export const testClusterId = 0xbeb74b314241cf78n;

/** Opens a network with a receiver that records. */
export async function testMember(options: TestMemberOptions): Promise<TestMember> {
  const { id, clusterId = testClusterId, serverVersion = "3.6.0", limits = {}, listenUrl } = options;
  const events = new EventEmitter().setMaxListeners(0);
  const changed = () => void events.emit("change");
  const state = { removals: 0 };
  const [messages, unreachable, snapshotStatus]: [Message[], bigint[], string[]] = [[], [], []];
  const log: LogLine[] = [];
  const scheduler = testScheduler();
  const logPort = testLog(log);
  const network = createPeerNetwork({
    listenUrls: (listenUrl ?? "http://127.0.0.1:0").split(","),
    clock: testClock,
    scheduler,
    random: testRandom,
    serverVersion,
    log: {
      ...logPort,
      info: (message, fields) => {
        logPort.info(message, fields);
        changed();
      },
      warn: (message, fields) => {
        logPort.warn(message, fields);
        changed();
      },
    },
    // Impatient, so that tests need not be patient.
    limits: { redialMs: 5, keepAliveMs: 10, ...limits },
  });
  const record = <T>(list: T[], item: T) => {
    list.push(item);
    changed();
  };
  const receiver: PeerReceiver = {
    onMessage: (message) => record(messages, message),
    onSnapshot: () => Promise.reject(new Error("no snapshots here")),
    onUnreachable: (peer) => record(unreachable, peer),
    onSnapshotStatus: (peer, status) => record(snapshotStatus, `${peer} ${status}`),
    onRemoved: () => {
      state.removals++;
      changed();
    },
    wasRemoved: () => false,
    members: () => [],
    version: () => ({ server: serverVersion, cluster: serverVersion }),
    downgrading: () => false,
    promote: () => Promise.resolve([]),
    renewLease: () => Promise.resolve(1),
    leaseTimeToLive: () => Promise.reject(new Error("no leases here")),
    hashKv: () => Promise.reject(new Error("no hashes here")),
    ...options.receiver,
  };
  const identity = { memberId: id, clusterId, peerUrls: options.peerUrls ?? ["http://127.0.0.1:1"] };
  const transport = await network.open(identity, receiver);
  return {
    identity,
    network,
    transport,
    url: network.listeningUrls[0] ?? "",
    messages,
    unreachable,
    snapshotStatus,
    log,
    scheduler,
    get removals() {
      return state.removals;
    },
    changed,
    async until(condition) {
      while (!condition()) await once(events, "change");
    },
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

/** Makes members known to each other. */
export function introduce(...members: readonly TestMember[]): void {
  for (const member of members)
    for (const other of members) if (member !== other) member.transport.addPeer(other.identity.memberId, [other.url]);
}

/** Makes members known to each other and waits until every one hears every other one. */
export async function connect(...members: readonly TestMember[]): Promise<void> {
  introduce(...members);
  for (const member of members)
    for (const other of members)
      if (member !== other)
        await member.until(() => member.transport.activeSince(other.identity.memberId) !== undefined);
}

/** A message with zeros where nothing is said. */
export function testMessage({
  type,
  to,
  from,
  ...fields
}: Partial<Message> & Pick<Message, "type" | "to" | "from">): Message {
  return createMessage({ type, to, from }, fields);
}
