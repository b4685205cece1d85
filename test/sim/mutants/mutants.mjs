/**
 * Faults of the kind that people make. Each replaces a piece of the sources, which must be there exactly once, and only in
 * processes that are started for it: see `register.mjs`.
 */
export const mutants = {
  "commit-by-counting": {
    fault: "A leader commits entries of earlier terms as soon as a quorum has them (paper §5.4.2).",
    killedBy: { seed: 12, seconds: 20 },
    edits: [
      {
        file: "packages/engine/raft/src/replication.ts",
        find: "if (index <= raft.log.committed || !raft.log.matches({ index, term: raft.term })) return;",
        replace: "if (index <= raft.log.committed) return;",
      },
    ],
  },
  "vote-forgotten": {
    fault: "A member does not know after a crash whom it has voted for.",
    killedBy: { seed: 75, seconds: 20 },
    edits: [
      {
        file: "packages/engine/server/src/bootstrap/bootstrap.ts",
        find: "{ ...opened.hardState, commit }",
        replace: "{ ...opened.hardState, vote: 0n, commit }",
      },
    ],
  },
  "read-without-quorum": {
    fault: "A leader answers reads without asking whether it still leads.",
    killedBy: { seed: 134, seconds: 20 },
    edits: [
      {
        file: "packages/engine/raft/src/read-index.ts",
        find: "if (raft.isOnlyVoter) answerRead(raft, read);\n  else raft.readOnly.add(read);",
        replace: "answerRead(raft, read);",
      },
    ],
  },
  "sync-left-out": {
    fault: "The log is written and not synced.",
    killedBy: { seed: 2, seconds: 20 },
    edits: [
      {
        file: "packages/engine/wal/src/segmented-wal.ts",
        find: "if (mustSync) await this.#file.dataSync();",
        replace: "",
      },
    ],
  },
  "renewed-lease-revoked": {
    fault: "A lease that is renewed while its leader is confirmed is revoked all the same.",
    killedBy: { seed: 164, seconds: 20 },
    edits: [
      {
        file: "packages/engine/server/src/leases/lease-expiry.ts",
        find: "if (!this.#isOverdue(id)) continue;",
        replace: "if (!lessor.exists(id)) continue;",
      },
    ],
  },
  "lease-cut-at-promotion": {
    fault: "A new leader gives leases an election timeout instead of what they have left.",
    killedBy: { seed: 4, seconds: 20 },
    edits: [
      {
        file: "packages/engine/lease/src/lease-times.ts",
        find: "this.#endAt(timer, nowMs + timer.recordedTtlSec * 1_000 + extendMs);",
        replace: "this.#endAt(timer, nowMs + (extendMs > 0 ? extendMs : timer.recordedTtlSec * 1_000));",
      },
    ],
  },
  "applied-twice": {
    fault:
      "The store is a step ahead of the index that is written beside it, so that a restart applies an entry twice.",
    killedBy: { seed: 1, seconds: 20 },
    edits: [
      {
        file: "packages/engine/server/src/apply/applier.ts",
        find: "writeConsistentIndex(this.#ports.backend, this.#appliedIndex, this.#appliedTerm);",
        replace: "writeConsistentIndex(this.#ports.backend, Math.max(0, this.#appliedIndex - 1), this.#appliedTerm);",
      },
    ],
  },
  "acknowledged-before-saved": {
    fault: "A follower acknowledges entries that are still on their way to its disk.",
    killedBy: { seed: 5, seconds: 20 },
    edits: [
      {
        file: "packages/engine/raft/src/message.ts",
        find: '    case "MsgApp":\n    case "MsgHeartbeat":\n    case "MsgSnap":\n    case "MsgTimeoutNow":',
        replace:
          '    case "MsgAppResp":\n    case "MsgApp":\n    case "MsgHeartbeat":\n    case "MsgSnap":\n    case "MsgTimeoutNow":',
      },
    ],
  },
  "truncated-on-equal-terms": {
    fault: "A follower replaces its log from where an append begins, although it holds the same entries and more.",
    killedBy: { seed: 3, seconds: 20 },
    edits: [
      {
        file: "packages/engine/raft/src/log.ts",
        find: "const conflict = append.entries.findIndex((entry) => !this.matches(entry));",
        replace: "const conflict = append.entries.length > 0 ? 0 : -1;",
      },
    ],
  },
  "snapshot-without-membership": {
    fault: "A snapshot is installed without the members that it brings.",
    killedBy: { seed: 26, seconds: 20 },
    edits: [
      {
        file: "packages/engine/server/src/snapshot/snapshot-installer.ts",
        find: "    membership.reload();\n",
        replace: "",
      },
    ],
  },
  "term-not-durable": {
    fault: "A candidate leads before its vote for itself is on disk.",
    killedBy: { seed: 6, seconds: 20 },
    edits: [
      {
        file: "packages/engine/raft/src/election.ts",
        find: "const isDurable = raft.durableTerm === raft.term;",
        replace: "const isDurable = raft.durableTerm <= raft.term;",
      },
    ],
  },
  "snapshot-before-flush": {
    fault: "The log lets go of entries that the store has not yet made durable.",
    killedBy: { seed: 2, seconds: 20 },
    edits: [
      {
        file: "packages/engine/server/src/snapshot/log-compactor.ts",
        find: "    await flusher.flush();\n    if (flusher.flushedIndex < index) return; // The store failed and the member is stopping.\n",
        replace: "",
      },
    ],
  },
};
