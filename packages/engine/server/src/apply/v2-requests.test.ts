import { hex } from "@conclave/base";
import { Request } from "@conclave/protocol/etcdserverpb/metadata";
import { describe, expect, test } from "vitest";
import { decodeCommand, encodeCommand } from "./commands.ts";

const attributes = {
  memberID: 0xe255_a223_fb1b_8a6cn,
  memberAttributes: { name: "one", clientUrls: ["http://127.0.0.1:2379"] },
};

describe("the requests of the old API", () => {
  test("carry attributes and version while the cluster's version is below 3.6", () => {
    const data = encodeCommand("clusterMemberAttrSet", attributes, 7n, { clusterVersion: "3.5.0" });
    expect(Request.decode(data)).toMatchObject({
      ID: 7n,
      Method: "PUT",
      Path: "/0/members/e255a223fb1b8a6c/attributes",
      Val: '{"name":"one","clientURLs":["http://127.0.0.1:2379"]}',
    });
    expect(decodeCommand(data)).toEqual({ kind: "clusterMemberAttrSet", id: 7n, request: attributes });

    const version = encodeCommand("clusterVersionSet", { ver: "3.5.0" }, 8n, { clusterVersion: "3.0.0" });
    expect(Request.decode(version)).toMatchObject({ ID: 8n, Method: "PUT", Path: "/0/version", Val: "3.5.0" });
    expect(decodeCommand(version)).toEqual({ kind: "clusterVersionSet", id: 8n, request: { ver: "3.5.0" } });
  });

  // Entries of the logs of real etcds: attributes of 3.5.30, version of 3.4.23.
  test.each([
    [
      "clusterMemberAttrSet",
      "0881e898f2babfa8a0a00112035055541a262f302f6d656d626572732f326531323539643431356632613034302f6174747269627574657322347b226e616d65223a2261222c22636c69656e7455524c73223a5b22687474703a2f2f3132372e302e302e313a3233373930225d7d2800320038004800500058006000680070007800800100",
    ],
    [
      "clusterVersionSet",
      "088482d0f1babfa8a0a00112035055541a0a2f302f76657273696f6e2205332e342e302800320038004800500058006000680070007800800100",
    ],
  ])("are those of etcd, byte for byte: %s", (kind, text) => {
    const command = decodeCommand(Buffer.from(text, "hex"));
    expect(command?.kind).toBe(kind);
    if (command === undefined) return;
    expect(hex(encodeCommand(command.kind, command.request, command.id, { clusterVersion: "3.0.0" }))).toBe(text);
  });

  test("are left behind from 3.6 on, and by a cluster of its own", () => {
    for (const clusterVersion of ["3.6.0", undefined]) {
      const data = encodeCommand("clusterVersionSet", { ver: "3.6.0" }, 1n, { clusterVersion });
      expect(hex(data).startsWith("a206020801")).toBe(true);
    }
  });

  test("leave every other command as it is", () => {
    const data = encodeCommand("compaction", { revision: 10n, physical: false }, 1n, { clusterVersion: "3.4.0" });
    expect(hex(data)).toBe("3a02080aa206020801");
  });

  test.each([
    { Method: "PUT", Path: "/1/key", Val: "x" },
    { Method: "DELETE", Path: "/0/version" },
    { Method: "PUT", Path: "/0/members/8e9e05c52164694d/raftAttributes", Val: "{}" },
    { Method: "SYNC" },
  ])("are skipped if they are none of the two: %j", (request) => {
    expect(decodeCommand(Request.encode({ ID: 5n, ...request }).finish())).toBeUndefined();
  });
});
