import type { OutgoingDatabase } from "@conclave/peer";
import type { Message } from "@conclave/raft";
import type { Endpoint, SimulatedNetwork } from "./simulated-network.ts";

/** A snapshot to be sent. */
export interface OutgoingSnapshot {
  /** The message it goes with. */
  readonly message: Message;
  /** Its content. */
  readonly database: OutgoingDatabase;
  /** The machine that it goes to. */
  readonly to: string;
}

/** Silence after which a receiver takes the connection for lost, in milliseconds. */
const silenceMs = 5_000;

/** Sends a snapshot piece by piece, as fast as the link is; it may break off. @returns whether it was taken */
export async function transferSnapshot(
  network: SimulatedNetwork,
  sender: Endpoint,
  { message, database, to }: OutgoingSnapshot,
): Promise<boolean> {
  const { wires, random, interruption = 0 } = network.options;
  const receiver = network.endpoint(to);
  try {
    if (receiver === undefined || receiver.identity.memberId !== message.to) return false;
    const route = { from: sender.name, to };
    const pieces = new PieceQueue(receiver);
    const taken = takeSnapshot(network, { sender, receiver, message, pieces });
    const breaksAt =
      random.fraction() < interruption ? random.fraction() * database.sizeBytes : Number.POSITIVE_INFINITY;
    let sent = 0;
    for await (const piece of database.read()) {
      await sender.time.sleep(piece.length / wires.link(route).bytesPerMs);
      sent += piece.length;
      const onLost = () => pieces.fail();
      if (sent >= breaksAt) onLost();
      else wires.send({ ...route, isConnected: true, deliver: () => pieces.push(piece), onLost });
    }
    wires.send({ ...route, isConnected: true, deliver: () => pieces.end(), onLost: () => pieces.fail() });
    return await taken;
  } catch {
    // The sender's own disk failed it; the member is told that the snapshot was not sent.
    return false;
  } finally {
    await database.release();
  }
}

interface Taking {
  readonly sender: Endpoint;
  readonly receiver: Endpoint;
  readonly message: Message;
  readonly pieces: PieceQueue;
}

/** Hands the snapshot to its receiver. @returns whether it was taken, as the sender hears of it */
function takeSnapshot(network: SimulatedNetwork, { sender, receiver, message, pieces }: Taking): Promise<boolean> {
  const { wires } = network.options;
  return new Promise((resolve) => {
    const timer = sender.time.after(10 * silenceMs, () => resolve(false));
    const report = (isTaken: boolean) => {
      const tell = (answer: boolean) =>
        sender.time.bind(() => {
          timer.cancel();
          resolve(answer);
        });
      wires.send({
        from: receiver.name,
        to: sender.name,
        isConnected: true,
        deliver: tell(isTaken),
        onLost: tell(false),
      });
    };
    const deliver = receiver.time.bind(() => {
      receiver.receiver.onSnapshot(message, pieces).then(
        () => report(true),
        () => report(false),
      );
    });
    wires.send({
      from: sender.name,
      to: receiver.name,
      isConnected: true,
      deliver,
      onLost: sender.time.bind(() => resolve(false)),
    });
  });
}

/** The pieces of a snapshot as they arrive. */
class PieceQueue implements AsyncIterable<Uint8Array> {
  readonly #receiver: Endpoint;
  readonly #pieces: Uint8Array[] = [];
  #end: "open" | "ended" | "broken" = "open";
  #wake: (() => void) | undefined;

  constructor(receiver: Endpoint) {
    this.#receiver = receiver;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#tell();
  }

  end(): void {
    if (this.#end === "open") this.#end = "ended";
    this.#tell();
  }

  fail(): void {
    this.#end = "broken";
    this.#tell();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#end === "broken") throw new Error("The connection was lost");
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#end === "ended") return;
      else await this.#arrival();
    }
  }

  /** Resolves when there is something new to look at; silence breaks the connection. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#receiver.time.after(silenceMs, () => {
        this.#end = "broken";
        resolve();
      });
      this.#wake = this.#receiver.time.bind(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
