/** @module The rows that `-w simple` and `-w table` have in common. */
import type { HashKVResponse, Member, StatusResponse } from "@conclave/protocol/etcdserverpb";
import { formatBytesSize } from "../go/bytes-size.ts";
import type { EndpointAnswer, SnapshotStatus } from "./answers.ts";

/** One row per member: id, status, name, peer URLs, client URLs, whether it is a learner. */
export function memberRows(members: readonly Member[]): string[][] {
  return members.map(({ ID, name, peerURLs, clientURLs, isLearner }) => [
    ID.toString(16),
    name === "" ? "unstarted" : "started",
    name,
    peerURLs.join(","),
    clientURLs.join(","),
    String(isLearner),
  ]);
}

/** One row per endpoint: endpoint, id, version, size, leader?, learner?, term, index, applied index, errors. */
export function statusRows(list: readonly EndpointAnswer<StatusResponse>[]): string[][] {
  return list.map(({ endpoint, response }) => {
    const memberId = response.header?.memberId ?? 0n;
    return [
      endpoint,
      memberId.toString(16),
      response.version,
      formatBytesSize(response.dbSize),
      String(response.leader === memberId),
      String(response.isLearner),
      String(response.raftTerm),
      String(response.raftIndex),
      String(response.raftAppliedIndex),
      response.errors.join(", "),
    ];
  });
}

/** One row per endpoint: endpoint, hash. */
export function hashKvRows(list: readonly EndpointAnswer<HashKVResponse>[]): string[][] {
  return list.map(({ endpoint, response }) => [endpoint, String(response.hash)]);
}

/** One row: hash in hexadecimal, revision, entries, size. */
export function snapshotRows({ hash, revision, totalKeys, sizeBytes }: SnapshotStatus): string[][] {
  return [[hash.toString(16), String(revision), String(totalKeys), formatBytesSize(sizeBytes)]];
}
