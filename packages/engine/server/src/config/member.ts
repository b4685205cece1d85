/** @module Options of the member itself: its data, its timing, where it listens, what it takes. */
import { z } from "zod";
import { duration, option, type Section, toggle } from "./field.ts";
import { oneOf, text, wholeNumber } from "./scalars.ts";
import { listenUrls } from "./urls.ts";

const mebibyte = 1024 * 1024;

/** Options of the member itself. */
export interface MemberOptions {
  /** Human-readable name of the member. Default `default`. */
  readonly name: string;
  /** Directory of the data. Default: `<name>.etcd` in the working directory. */
  readonly dataDir: string;
  /** Directory of the write-ahead log. Default: `member/wal` in the data directory. */
  readonly walDir: string;
  /** Applied entries between two snapshot records in the log. Default 10 000. */
  readonly snapshotCount: number;
  /** Time between heartbeats. Default 100. */
  readonly heartbeatInterval: number;
  /** Time without a leader before an election, at least five heartbeats, at most 50 000. Default 1000. */
  readonly electionTimeout: number;
  /** Let most of the first election timeout pass at once when the member starts. Default true. */
  readonly initialElectionTickAdvance: boolean;
  /** URLs to listen on for peers. Default `http://localhost:2380`. */
  readonly listenPeerUrls: readonly string[];
  /** URLs to listen on for clients: `http://address:port` (port 0: any that is free) or `unix://path`. Default `http://localhost:2379`. */
  readonly listenClientUrls: readonly string[];
  /** URLs to listen on for HTTP alone; those for clients then serve gRPC alone. Default: none. */
  readonly listenClientHttpUrls: readonly string[];
  /** Taken for etcd's sake: a received snapshot is removed as soon as it is installed. Default 5. */
  readonly maxSnapshots: number;
  /** Taken for etcd's sake: a segment of the log is removed as soon as it is not needed any more. Default 5. */
  readonly maxWals: number;
  /** Taken for etcd's sake: Node cannot lock its memory. Default false. */
  readonly memoryMlock: boolean;
  /** Size of the store at which writes are refused; 0 stands for 2 GiB, a negative one for no limit. Default 0. */
  readonly quotaBackendBytes: number;
  /** Taken for etcd's sake: the store has no free list to choose. Default `map`. */
  readonly backendBboltFreelistType: "array" | "map" | "";
  /** Longest time before applied state is written to the store. Default 100. */
  readonly backendBatchInterval: number;
  /** Buffered operations at which applied state is written to the store at once; 0 stands for the default. Default 10 000. */
  readonly backendBatchLimit: number;
  /** Most operations, and most compares, in a transaction. Default 128. */
  readonly maxTxnOps: number;
  /** Largest request, at most 10 MiB. Default 1.5 MiB. */
  readonly maxRequestBytes: number;
  /** Most streams a client may have open on one connection. Default 2^32 − 1. */
  readonly maxConcurrentStreams: number;
  /** Shortest interval at which clients may ping. Default 5000. */
  readonly grpcKeepaliveMinTime: number;
  /** Silence after which a client is pinged. Default two hours. */
  readonly grpcKeepaliveInterval: number;
  /** Time a client has to answer that ping. Default 20 000. */
  readonly grpcKeepaliveTimeout: number;
  /** Share the listening ports with other processes that ask for it too. Default false. */
  readonly socketReusePort: boolean;
  /** Taken for etcd's sake: a port may always be bound again at once. Default false. */
  readonly socketReuseAddress: boolean;
  /** Serve the JSON gateway beside gRPC. Default true. */
  readonly enableGrpcGateway: boolean;
  /** Longest silence on a connection from a peer. Default 5000. */
  readonly raftReadTimeout: number;
  /** Longest time that a message to a peer may take. Default 5000. */
  readonly raftWriteTimeout: number;
}

/** The section of the member itself. */
export const memberSection: Section<MemberOptions> = {
  title: "Member",
  fields: {
    name: option(z.string().min(1, "must not be empty"), {
      fallback: "default",
      help: "Human-readable name of this member.",
    }),
    dataDir: option(text, { fallback: "", fallbackText: "NAME.etcd", help: "Directory of the data." }),
    walDir: option(text, {
      fallback: "",
      help: "Directory of the write-ahead log, if it is to be elsewhere than in the data directory.",
    }),
    snapshotCount: option(wholeNumber({ min: 1 }), {
      fallback: 10_000,
      help: "Applied entries between two snapshots of the log.",
    }),
    heartbeatInterval: option(wholeNumber({ min: 1 }), { fallback: 100, help: "Milliseconds between heartbeats." }),
    electionTimeout: option(wholeNumber({ min: 1, max: 50_000 }), {
      fallback: 1000,
      help: "Milliseconds without a leader before an election; at least five heartbeats.",
    }),
    initialElectionTickAdvance: toggle({
      fallback: true,
      help: "Let most of the first election timeout pass at once when the member starts.",
    }),
    listenPeerUrls: option(listenUrls, {
      fallback: ["http://localhost:2380"],
      help: "Comma-separated URLs to listen on for peers.",
    }),
    listenClientUrls: option(
      listenUrls.refine((all) => all.length > 0, "must name at least one URL"),
      { fallback: ["http://localhost:2379"], help: "Comma-separated URLs to listen on for clients." },
    ),
    listenClientHttpUrls: option(listenUrls, {
      fallback: [],
      help: "Comma-separated URLs to listen on for HTTP alone; --listen-client-urls then serves gRPC alone.",
    }),
    maxSnapshots: option(wholeNumber({ min: 0 }), {
      fallback: 5,
      help: "Without effect: nothing is kept that is not needed.",
      unused: "a received snapshot is removed as soon as it is installed",
    }),
    maxWals: option(wholeNumber({ min: 0 }), {
      fallback: 5,
      help: "Without effect: nothing is kept that is not needed.",
      unused: "a segment of the log is removed as soon as it is not needed any more",
    }),
    memoryMlock: toggle({
      fallback: false,
      help: "Without effect: Node cannot lock its memory.",
      experimental: true,
      unused: "Node cannot lock its memory; turn swap off for the service instead (systemd: MemorySwapMax=0)",
    }),
    quotaBackendBytes: option(wholeNumber({ min: Number.MIN_SAFE_INTEGER }), {
      fallback: 0,
      help: "Size of the store at which writes are refused (0: 2 GiB; negative: no limit).",
    }),
    backendBboltFreelistType: option(oneOf(["map", "array", ""]), {
      fallback: "map",
      help: "Without effect: the store is not bbolt.",
      experimental: true,
      unused: "the store is not bbolt and has no free list to choose",
    }),
    backendBatchInterval: duration({
      fallback: 100,
      help: "Longest time before applied state is written to the store.",
    }),
    backendBatchLimit: option(wholeNumber({ min: 0 }), {
      fallback: 10_000,
      help: "Operations at which applied state is written to the store at once (0: the default).",
    }),
    maxTxnOps: option(wholeNumber({ min: 1 }), { fallback: 128, help: "Most operations in a transaction." }),
    maxRequestBytes: option(wholeNumber({ min: 1, max: 10 * mebibyte }), {
      fallback: 1.5 * mebibyte,
      help: "Largest request, in bytes.",
    }),
    maxConcurrentStreams: option(wholeNumber({ min: 1, max: 0xffff_ffff }), {
      fallback: 0xffff_ffff,
      help: "Most streams a client may have open on one connection.",
    }),
    grpcKeepaliveMinTime: duration({
      fallback: 5000,
      fallbackText: "5s",
      help: "Shortest interval at which clients may ping.",
    }),
    grpcKeepaliveInterval: duration({
      fallback: 2 * 3_600_000,
      fallbackText: "2h",
      help: "Interval at which idle connections are pinged (0: never).",
    }),
    grpcKeepaliveTimeout: duration({
      fallback: 20_000,
      fallbackText: "20s",
      help: "Time after which a connection that answers no ping is closed (0: none is pinged).",
    }),
    socketReusePort: toggle({
      fallback: false,
      help: "Share listening ports with others that ask for it too; needs Node 22.12.",
    }),
    socketReuseAddress: toggle({
      fallback: false,
      help: "Without effect: a port may always be bound again at once.",
      unused: "a listening port may always be bound again at once",
    }),
    enableGrpcGateway: toggle({ fallback: true, help: "Serve the JSON gateway beside gRPC." }),
    raftReadTimeout: duration({
      fallback: 5000,
      fallbackText: "5s",
      help: "Longest silence on a connection from a peer; at least 5s.",
    }),
    raftWriteTimeout: duration({
      fallback: 5000,
      fallbackText: "5s",
      help: "Longest time that a message to a peer may take.",
    }),
  },
  check({ heartbeatInterval, electionTimeout }, refuse) {
    if (heartbeatInterval * 5 > electionTimeout)
      refuse("electionTimeout", `must be at least 5 times the heartbeat interval of ${heartbeatInterval} ms`);
  },
};
