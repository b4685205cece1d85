/**
 * @module A record of what clients asked and were told, in the order in which it happened.
 *
 * Each invocation and each outcome is a point of one total order: its place in the list. A client records an
 * invocation before it sends anything and an outcome after it has heard it, so an operation takes effect somewhere
 * between its two points; one whose outcome is not known, at any later time or never.
 */
import type { Clock } from "@conclave/base";

/** A point of a history. `Operation` and `Answer` are plain data: what `JSON.stringify` keeps. */
export type HistoryEvent<Operation, Answer> =
  | {
      readonly type: "invoke";
      /** Number of the operation, unique in the history. */
      readonly id: number;
      /** Who asks. */
      readonly client: string;
      /** When, for people: the order of points is the order of the list. */
      readonly atMs: number;
      readonly operation: Operation;
      /** See {@link InvokeOptions.session}; absent if it is the client. */
      readonly session?: string;
    }
  | { readonly type: "return"; readonly id: number; readonly atMs: number; readonly answer: Answer }
  /** Nobody knows whether it took effect or will: a timeout, a lost connection. */
  | { readonly type: "unknown"; readonly id: number; readonly atMs: number }
  /** It is certain that it did not and never will take effect. */
  | { readonly type: "refused"; readonly id: number; readonly atMs: number; readonly reason: string };

/** Options of {@link HistoryRecorder.invoke}. */
export interface InvokeOptions {
  /**
   * In which sequence serializable reads must not go back in time: one client that always asks the same member.
   * Default: the client's name. Name another one when the client turns to another member.
   */
  readonly session?: string;
}

/** An operation of a history from its first to its last point. */
export interface HistoryOperation<Operation, Answer> {
  /** Number of the operation, unique in the history. */
  readonly id: number;
  /** Who asked. */
  readonly client: string;
  /** See {@link InvokeOptions.session}. */
  readonly session: string;
  /** What was asked. */
  readonly operation: Operation;
  /** Point of the invocation. */
  readonly invokedAt: number;
  /** Time of the invocation, for people. */
  readonly invokedMs: number;
  /** Point of the answer and what it was; `undefined` if the outcome is not known. */
  readonly returned: { readonly at: number; readonly atMs: number; readonly answer: Answer } | undefined;
}

/** A history that cannot be one: not what {@link formatHistory} writes, or outcomes without an invocation. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
  /** Always this one. */
  readonly code = "MALFORMED";
}

/** Records a history; give one recorder to all clients of a run. */
export class HistoryRecorder<Operation, Answer> {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #events: HistoryEvent<Operation, Answer>[] = [];
  readonly #open = new Set<number>();
  #lastId = 0;

  /** @param clock - virtual or real time, noted with each point */
  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** What has been recorded, oldest first. */
  get events(): readonly HistoryEvent<Operation, Answer>[] {
    return this.#events;
  }

  /**
   * Notes that an operation is about to be sent.
   *
   * @returns its id, to be given with the outcome
   */
  invoke(client: string, operation: Operation, options: InvokeOptions = {}): number {
    const id = ++this.#lastId;
    this.#open.add(id);
    const session = options.session === undefined ? {} : { session: options.session };
    this.#events.push({ type: "invoke", id, client, atMs: this.#clock.monotonicMs(), operation, ...session });
    return id;
  }

  /** Notes an answer. */
  returned(id: number, answer: Answer): void {
    this.#close(id);
    this.#events.push({ type: "return", id, atMs: this.#clock.monotonicMs(), answer });
  }

  /** Notes that nobody will know the outcome: the operation may take effect at any later time or never. */
  unknown(id: number): void {
    this.#close(id);
    this.#events.push({ type: "unknown", id, atMs: this.#clock.monotonicMs() });
  }

  /** Notes that the operation certainly takes no effect: it was refused, or never left. */
  refused(id: number, reason: string): void {
    this.#close(id);
    this.#events.push({ type: "refused", id, atMs: this.#clock.monotonicMs(), reason });
  }

  /**
   * Makes a call and records it from its invocation to its outcome.
   *
   * @param call.fate - what an error means for the operation; `unknown` whenever in doubt
   * @returns the answer, or `undefined` if there was none
   */
  async record(
    client: string,
    call: {
      readonly operation: Operation;
      readonly send: () => Promise<Answer>;
      readonly fate: (error: unknown) => "unknown" | "refused";
      readonly session?: string;
    },
  ): Promise<Answer | undefined> {
    const id = this.invoke(client, call.operation, call.session === undefined ? {} : { session: call.session });
    try {
      const answer = await call.send();
      this.returned(id, answer);
      return answer;
    } catch (error) {
      if (call.fate(error) === "refused") this.refused(id, String(error));
      else this.unknown(id);
      return undefined;
    }
  }

  #close(id: number): void {
    if (!this.#open.delete(id)) throw new HistoryError(`Cannot give operation ${id} an outcome as none is open`);
  }
}

/**
 * The operations of a history in the order of their invocation, without those that were refused. One that has no
 * outcome yet counts as unknown.
 *
 * @throws {@link HistoryError} if an outcome has no invocation or an operation has two of either
 */
export function operationsOf<Operation, Answer>(
  events: readonly HistoryEvent<Operation, Answer>[],
): readonly HistoryOperation<Operation, Answer>[] {
  const operations = new Map<number, HistoryOperation<Operation, Answer>>();
  const closed = new Set<number>();
  for (const [at, event] of events.entries()) {
    const { id, atMs } = event;
    if (event.type === "invoke") {
      if (operations.has(id) || closed.has(id)) throw new HistoryError(`Operation ${id} is invoked twice`);
      const { client, session = client, operation } = event;
      operations.set(id, { id, client, session, operation, invokedAt: at, invokedMs: atMs, returned: undefined });
      continue;
    }
    const operation = operations.get(id);
    if (operation === undefined || closed.has(id)) throw new HistoryError(`Operation ${id} has an outcome too many`);
    closed.add(id);
    if (event.type === "return") operations.set(id, { ...operation, returned: { at, atMs, answer: event.answer } });
    else if (event.type === "refused") operations.delete(id);
  }
  return [...operations.values()];
}

/** A history as JSON lines, one point a line. */
export function formatHistory<Operation, Answer>(events: readonly HistoryEvent<Operation, Answer>[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

/**
 * Reads what {@link formatHistory} wrote. Operations and answers are taken as they are.
 *
 * @throws {@link HistoryError} with the number of the line that is no point of a history
 */
export function parseHistory<Operation, Answer>(text: string): readonly HistoryEvent<Operation, Answer>[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, at) => {
    const event = parsedLine(line, at + 1);
    if (!isHistoryEvent(event))
      throw new HistoryError(`Line ${at + 1} is no point of a history: ${line.slice(0, 100)}`);
    return event as HistoryEvent<Operation, Answer>;
  });
}

function parsedLine(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new HistoryError(`Line ${number} is no JSON`, { cause });
  }
}

function isHistoryEvent(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const event = value as Readonly<Record<string, unknown>>;
  if (!Number.isSafeInteger(event.id) || typeof event.atMs !== "number") return false;
  switch (event.type) {
    case "invoke":
      return (
        typeof event.client === "string" &&
        "operation" in event &&
        ["string", "undefined"].includes(typeof event.session)
      );
    case "return":
      return "answer" in event;
    case "unknown":
      return true;
    case "refused":
      return typeof event.reason === "string";
    default:
      return false;
  }
}
