export type { InitialMember } from "./bootstrap.ts";
export { confChangeOf, encodeConfChange, encodeConfChangeV2 } from "./conf-change.ts";
export type { RaftConfig } from "./config.ts";
export type { RaftErrorCode } from "./errors.ts";
export { RaftError } from "./errors.ts";
export type { MemoryLogStorageOptions } from "./memory-log-storage.ts";
export { MemoryLogStorage } from "./memory-log-storage.ts";
export { createMessage, type MessageFields, type MessageHeader, maySendBeforeSave } from "./message.ts";
export type { ProgressState } from "./progress.ts";
export type { ReadState, Role } from "./raft.ts";
export type { RawNode } from "./raw-node.ts";
export { createRawNode } from "./raw-node.ts";
export type { Ready, SoftState } from "./ready.ts";
export type { Dropped, DropReason, ProposeResult, StepResult } from "./results.ts";
export type { MemberProgress, RaftStatus } from "./status.ts";
export type { InitialState, LogRange, LogStorage } from "./storage.ts";
export type {
  ConfChange,
  ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  ConfChangeV2,
  ConfState,
  Entry,
  EntryType,
  HardState,
  Message,
  MessageType,
  Snapshot,
  SnapshotMetadata,
} from "./types.ts";
