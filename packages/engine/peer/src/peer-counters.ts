import { exponentialBounds, Histogram } from "@conclave/base";
import type { PeerStats } from "./peer-network.ts";

/** The counts of one peer as its ways change them. */
export class PeerCounters implements PeerStats {
  sentBytes = 0;
  receivedBytes = 0;
  sendFailures = 0;
  /** In seconds, from 0.1 ms to 3 s, as etcd's. */
  readonly roundTrips: Histogram = new Histogram(exponentialBounds({ start: 0.0001, factor: 2, count: 16 }));
}
