/**
 * @module What lies between the machines of a simulation. Whatever is sent from one to another takes time, and may be
 * lost, doubled or overtaken, or meet a partition; the seed decides.
 */
import type { Random } from "@conclave/base";
import type { VirtualTime } from "../virtual-time.ts";

/** How one machine's messages come to another one. Chances are from 0 to 1. */
export interface LinkSettings {
  /** The shortest and the longest time on the way, in milliseconds. */
  readonly delayMs: readonly [shortest: number, longest: number];
  /** The chance that a message is lost. */
  readonly loss: number;
  /** The chance that a message comes twice. */
  readonly duplication: number;
  /** The chance that a message is held up, so that later ones overtake it. */
  readonly reordering: number;
  /** The chance that a connection breaks with a message on it. */
  readonly breaking: number;
  /** How many bytes pass in a millisecond; it matters for snapshots. */
  readonly bytesPerMs: number;
}

/** A good network: fast and without faults. */
export const goodLink: LinkSettings = {
  delayMs: [0.2, 1],
  loss: 0,
  duplication: 0,
  reordering: 0,
  breaking: 0,
  bytesPerMs: 100_000,
};

/** Where something goes: the names of two machines. */
export interface Route {
  /** Who sends. */
  readonly from: string;
  /** Who receives. */
  readonly to: string;
}

/** Something on its way. */
export interface Parcel extends Route {
  /** It arrives; twice if it was doubled. */
  readonly deliver: () => void;
  /** It did not arrive: it was lost, or met a partition. Default: nobody notices. */
  readonly onLost?: (reason: "lost" | "blocked") => void;
  /**
   * Whether it goes over a connection: neither doubled nor overtaken, and lost only if that breaks. Default: no, it is
   * a message of its own.
   */
  readonly isConnected?: boolean;
  /** Whether it can come twice; default: yes, unless it goes over a connection. */
  readonly isRepeatable?: boolean;
}

/** How many messages came to what end. */
export interface WireCounts {
  /** Arrived. */
  delivered: number;
  /** Were lost by chance, or broke their connection. */
  lost: number;
  /** Were sent on twice. */
  doubled: number;
  /** Were held up, so that others could overtake them. */
  overtaken: number;
  /** Met a partition. */
  blocked: number;
}

/** How much longer than the longest delay a message may be held up to be overtaken. */
const heldUpFactor = 10;

/** The network between machines, known by their names. */
export class Wires {
  readonly #time: VirtualTime;
  readonly #random: Random;
  #settings: LinkSettings;
  readonly #links = new Map<string, LinkSettings>();
  /** Routes that nothing passes. */
  readonly #blocked = new Set<string>();
  /** When the last message that keeps its place arrives, by route. */
  readonly #arrivals = new Map<string, number>();
  /** When a route was last opened again. */
  readonly #openedMs = new Map<string, number>();
  /** What became of the messages so far. */
  readonly counts: WireCounts = { delivered: 0, lost: 0, doubled: 0, overtaken: 0, blocked: 0 };

  /**
   * @param options - the time, the randomness that decides, and how links are unless told otherwise; default: good ones
   */
  constructor(options: { readonly time: VirtualTime; readonly random: Random; readonly settings?: LinkSettings }) {
    this.#time = options.time;
    this.#random = options.random;
    this.#settings = options.settings ?? goodLink;
  }

  /** The time of the simulation. */
  get nowMs(): number {
    return this.#time.monotonicMs();
  }

  /** Changes how all links are, those set apart excepted. */
  configure(settings: Partial<LinkSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  /** Sets one direction of one link apart. */
  configureLink(route: Route, settings: Partial<LinkSettings>): void {
    this.#links.set(keyOf(route), { ...this.link(route), ...settings });
  }

  /** How a link is. */
  link(route: Route): LinkSettings {
    return this.#links.get(keyOf(route)) ?? this.#settings;
  }

  /** Lets nothing pass in one direction any more, what is on its way included. */
  block(route: Route): void {
    this.#blocked.add(keyOf(route));
  }

  /** Lets things pass again in one direction. */
  unblock(route: Route): void {
    if (this.#blocked.delete(keyOf(route))) this.#openedMs.set(keyOf(route), this.#time.monotonicMs());
  }

  /** Lets everything pass again. Links keep their settings. */
  unblockAll(): void {
    for (const key of [...this.#blocked]) {
      this.#blocked.delete(key);
      this.#openedMs.set(key, this.#time.monotonicMs());
    }
  }

  /** Whether nothing passes. */
  isBlocked(route: Route): boolean {
    return this.#blocked.has(keyOf(route));
  }

  /** When the route was last opened again, in the time of the simulation; 0 if it never was blocked. */
  openedMs(route: Route): number {
    return this.#openedMs.get(keyOf(route)) ?? 0;
  }

  /** Sends something. Nothing happens before the call has returned. */
  send(parcel: Parcel): void {
    const { loss, duplication, breaking } = this.link(parcel);
    const isConnected = parcel.isConnected === true;
    if (this.#happens(isConnected ? breaking : loss)) {
      this.counts.lost++;
      // Of a connection nothing arrives after what was lost: its loss shows when it would have arrived.
      this.#time.after(this.#arrivalMs(parcel) - this.nowMs, () => parcel.onLost?.("lost"));
      return;
    }
    this.#carry(parcel);
    if (parcel.isRepeatable !== false && !isConnected && this.#happens(duplication)) {
      this.counts.doubled++;
      this.#carry(parcel);
    }
  }

  #carry(parcel: Parcel): void {
    this.#time.after(this.#arrivalMs(parcel) - this.#time.monotonicMs(), () => {
      if (this.isBlocked(parcel)) {
        this.counts.blocked++;
        parcel.onLost?.("blocked");
      } else {
        this.counts.delivered++;
        parcel.deliver();
      }
    });
  }

  #arrivalMs(parcel: Parcel): number {
    const { delayMs, reordering } = this.link(parcel);
    const nowMs = this.#time.monotonicMs();
    if (parcel.isConnected !== true && this.#happens(reordering)) {
      this.counts.overtaken++;
      return nowMs + this.#delayMs(parcel) + this.#random.fraction() * delayMs[1] * heldUpFactor;
    }
    const key = keyOf(parcel);
    const arrivalMs = Math.max(nowMs + this.#delayMs(parcel), this.#arrivals.get(key) ?? 0);
    this.#arrivals.set(key, arrivalMs);
    return arrivalMs;
  }

  #delayMs(route: Route): number {
    const [shortest, longest] = this.link(route).delayMs;
    return shortest + this.#random.fraction() * (longest - shortest);
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random.fraction() < chance;
  }
}

function keyOf({ from, to }: Route): string {
  return `${from}>${to}`;
}
