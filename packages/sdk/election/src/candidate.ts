/**
 * @module Who stands for an election. A candidate's key `<name>/<lease in hex>` holds what it proclaims and nothing
 * else, as Go's `concurrency.Election` and `etcdctl elect` want it. What a handover needs to know of a candidate is
 * noted beside, in `<name>#<lease in hex>`, which no other client looks at; it is written and goes with the key's lease.
 */
import {
  type CallOptions,
  type ClientView,
  type Contender,
  type KeyValue,
  op,
  prefix,
  type RangeResult,
} from "@conclave/client";
import * as z from "zod";

/** A leader, as others see it. */
export interface Leader {
  /** What it proclaims. */
  readonly value: string;
  /** Its fence: grows with every leader. */
  readonly fence: number;
  /** Its key. */
  readonly key: string;
  /** The lease it lives on. */
  readonly lease: bigint;
  /** The revision at which it proclaimed this value. */
  readonly revision: number;
}

/** A leader that was observed. */
export interface ObservedLeader extends Leader {
  /** The revision from which it led, with this value. */
  readonly asOf: number;
}

/** One who leads or stands behind. */
export interface Candidate extends Leader {
  /** What a handover calls it: the id it gave, or else its value. */
  readonly id: string;
  /** A handover to nobody in particular goes to the highest; 0 for those who gave none. */
  readonly priority: number;
  /**
   * Whether it stands again when a handover passes it over. Candidates of other clients do not, and neither do those
   * that gave neither an id nor a priority: a handover goes at most to the first of them.
   */
  readonly yields: boolean;
}

/** How a candidate is known to handovers. */
export interface CandidateOptions {
  /** What a handover calls this candidate, such as the name of its host. Default: its value. */
  readonly id?: string | undefined;
  /**
   * A handover to nobody in particular goes to the candidate with the highest, and among equals to the one that has
   * stood for longest. A safe integer of any sign. Default: 0.
   */
  readonly priority?: number | undefined;
}

/** Everybody who stands, in the order in which they will lead, at one revision. */
export interface Standing {
  /** The revision. */
  readonly revision: number;
  /** The leader first. */
  readonly candidates: readonly Candidate[];
}

const noteSchema = z.object({ id: z.string().optional(), priority: z.number().int().optional() });
type Note = z.infer<typeof noteSchema>;

/** Where the notes on the candidates of an election start. */
export function notePrefix(name: string): string {
  return `${name}#`;
}

/** The key of the note on a candidate. */
export function noteKey(name: string, lease: bigint): string {
  return `${notePrefix(name)}${lease.toString(16)}`;
}

/** The note on a candidate. */
export function formatNote({ id, priority }: CandidateOptions): string {
  return JSON.stringify({ id, priority } satisfies { [Field in keyof Note]: Note[Field] });
}

/** What others see of a contender's key. */
export function toLeader({ keyString, valueString, createRevision, lease, modRevision }: KeyValue): Leader {
  return { value: valueString, fence: createRevision, key: keyString, lease, revision: modRevision };
}

/** What others see of a contender. */
export function asLeader({ key, value, fence, lease, revision }: Contender): Leader {
  return { value, fence, key, lease, revision };
}

/** Reads who stands, and the notes on them, at one revision. */
export async function readStanding(client: ClientView, name: string, options: CallOptions = {}): Promise<Standing> {
  const { revision, responses } = await client
    .txn()
    .then(op.range(prefix(`${name}/`), { sortBy: "createRevision" }), op.range(prefix(notePrefix(name))))
    .commit(options);
  // It has no conditions, so it always takes the first way.
  const [queue, notes] = responses as readonly [RangeResult, RangeResult];
  const noteOf = new Map(notes.kvs.map((kv) => [kv.keyString, parseNote(kv)]));
  const candidates = queue.kvs.map((kv) => toCandidate(toLeader(kv), noteOf.get(noteKey(name, kv.lease))));
  return { revision, candidates };
}

function toCandidate(leader: Leader, note: Note | undefined): Candidate {
  return { ...leader, id: note?.id ?? leader.value, priority: note?.priority ?? 0, yields: note !== undefined };
}

/** A note that cannot be read is none: whoever wrote it may not stand again when it is passed over. */
function parseNote({ valueString }: KeyValue): Note | undefined {
  try {
    return noteSchema.parse(JSON.parse(valueString));
  } catch {
    return undefined;
  }
}
