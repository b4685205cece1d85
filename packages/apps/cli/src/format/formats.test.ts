import { utf8, utf8Text } from "@conclave/base";
import {
  AlarmType,
  type RangeResponse,
  StatusResponse,
  TxnResponse,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { Event_EventType, KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../exit.ts";
import type { Answers } from "./answers.ts";
import { createFormatter } from "./formatter.ts";

/** What a real server answered to etcdctl 3.4, and what that printed of it. */
const header = { clusterId: 10144879847569953045n, memberId: 12428976124636271536n, revision: 29, raftTerm: 2 };
const jsonHeader = '{"cluster_id":10144879847569953045,"member_id":12428976124636271536,"revision":29,"raft_term":2}';
const flatJsonHeader = jsonHeader.slice(1, -1);
const fieldsHeader =
  '"ClusterID" : 10144879847569953045\n"MemberID" : 12428976124636271536\n"Revision" : 29\n"RaftTerm" : 2\n';

const foo = KeyValue.fromPartial({
  key: utf8("foo"),
  value: utf8("bar"),
  createRevision: 6,
  modRevision: 8,
  version: 3,
  lease: 1418811982100762267n,
});
const before = KeyValue.fromPartial({ ...foo, value: utf8("was"), modRevision: 7, version: 2, lease: 0n });
const jsonFoo =
  '{"key":"Zm9v","create_revision":6,"mod_revision":8,"version":3,"value":"YmFy","lease":1418811982100762267}';
const jsonBefore = '{"key":"Zm9v","create_revision":6,"mod_revision":7,"version":2,"value":"d2Fz"}';
const fieldsFoo =
  '"Key" : "foo"\n"CreateRevision" : 6\n"ModRevision" : 8\n"Version" : 3\n"Value" : "bar"\n"Lease" : 1418811982100762267\n';
const fieldsBefore =
  '"PrevKey" : "foo"\n"PrevCreateRevision" : 6\n"PrevModRevision" : 7\n"PrevVersion" : 2\n"PrevValue" : "was"\n"PrevLease" : 0\n';

interface FormatOptions {
  readonly hex?: boolean;
  readonly valueOnly?: boolean;
}

function format<Kind extends keyof Answers>(
  name: string,
  kind: Kind,
  answer: Answers[Kind],
  { hex = false, valueOnly = false }: FormatOptions = {},
): string {
  const text = createFormatter(name, { hex, valueOnly })[kind](answer);
  return typeof text === "string" ? text : utf8Text(text);
}

/** What an answer looks like as simple, fields and JSON. */
function expectFormats<Kind extends keyof Answers>(
  kind: Kind,
  answer: Answers[Kind],
  expected: Readonly<Record<"simple" | "fields" | "json", string>>,
): void {
  const actual = (["simple", "fields", "json"] as const).map((name) => [name, format(name, kind, answer)]);
  expect(Object.fromEntries(actual)).toEqual(expected);
}

describe("keys and values", () => {
  test("put", () => {
    expectFormats(
      "put",
      { header, prevKv: undefined },
      { simple: "OK\n", fields: fieldsHeader, json: `{"header":${jsonHeader}}\n` },
    );
  });

  test("put with the previous record", () => {
    expectFormats(
      "put",
      { header, prevKv: before },
      {
        simple: "OK\nfoo\nwas\n",
        fields: fieldsHeader + fieldsBefore,
        json: `{"header":${jsonHeader},"prev_kv":${jsonBefore}}\n`,
      },
    );
  });

  const range: RangeResponse = { header, kvs: [foo, before], more: true, count: 3 };

  test("get", () => {
    expectFormats("get", range, {
      simple: "foo\nbar\nfoo\nwas\n",
      fields: `${fieldsHeader}${fieldsFoo}${fieldsBefore.replaceAll('"Prev', '"')}"More" : true\n"Count" : 3\n`,
      json: `{"header":${jsonHeader},"kvs":[${jsonFoo},${jsonBefore}],"more":true,"count":3}\n`,
    });
  });

  test("get of nothing", () => {
    expectFormats(
      "get",
      { header, kvs: [], more: false, count: 0 },
      { simple: "", fields: `${fieldsHeader}"More" : false\n"Count" : 0\n`, json: `{"header":${jsonHeader}}\n` },
    );
  });

  test("get in hexadecimal, and values only", () => {
    expect(format("simple", "get", range, { hex: true })).toBe(
      "\\x66\\x6f\\x6f\n\\x62\\x61\\x72\n\\x66\\x6f\\x6f\n\\x77\\x61\\x73\n",
    );
    expect(format("simple", "get", range, { valueOnly: true })).toBe("bar\nwas\n");
  });

  test("get writes bytes that are no text as they are", () => {
    const kvs = [KeyValue.fromPartial({ key: Uint8Array.of(0, 0xff), value: Uint8Array.of(0x0a, 0x80) })];
    const shown = createFormatter("simple", { hex: false, valueOnly: false }).get({ ...range, kvs });
    expect([...(shown as Uint8Array)]).toEqual([0, 0xff, 0x0a, 0x0a, 0x80, 0x0a]);
  });

  test("del", () => {
    expectFormats(
      "del",
      { header, deleted: 1, prevKvs: [before] },
      {
        simple: "1\nfoo\nwas\n",
        fields: `${fieldsHeader}"Deleted" : 1\n${fieldsBefore}`,
        json: `{"header":${jsonHeader},"deleted":1,"prev_kvs":[${jsonBefore}]}\n`,
      },
    );
  });

  test("txn", () => {
    const inner = { clusterId: 0n, memberId: 0n, revision: 29, raftTerm: 0 };
    const fieldsInner = '"ClusterID" : 0\n"MemberID" : 0\n"Revision" : 29\n"RaftTerm" : 0\n';
    const txn: TxnResponse = {
      header,
      succeeded: true,
      responses: [
        { response: { $case: "responsePut", value: { header: inner, prevKv: undefined } } },
        { response: { $case: "responseRange", value: { header: inner, kvs: [foo], more: false, count: 1 } } },
        { response: { $case: "responseDeleteRange", value: { header: inner, deleted: 0, prevKvs: [] } } },
        { response: { $case: "responseTxn", value: { header: inner, succeeded: false, responses: [] } } },
      ],
    };
    expectFormats("txn", txn, {
      simple: "SUCCESS\n\nOK\n\nfoo\nbar\n\n0\n\nFAILURE\n",
      fields: [
        `${fieldsHeader}"Succeeded" : true\n`,
        fieldsInner,
        `${fieldsInner}${fieldsFoo}"More" : false\n"Count" : 1\n`,
        `${fieldsInner}"Deleted" : 0\n`,
        `${fieldsInner}"Succeeded" : false\n`,
      ].join(""),
      json: `{"header":${jsonHeader},"succeeded":true,"responses":[${[
        '{"Response":{"ResponsePut":{"header":{"revision":29}}}}',
        `{"Response":{"ResponseRange":{"header":{"revision":29},"kvs":[${jsonFoo}],"count":1}}}`,
        '{"Response":{"ResponseDeleteRange":{"header":{"revision":29}}}}',
        '{"Response":{"ResponseTxn":{"header":{"revision":29}}}}',
      ].join(",")}]}\n`,
    });
  });

  test("watch", () => {
    const deleted = { key: utf8("foo"), modRevision: 29 };
    const response = WatchResponse.fromPartial({
      header,
      events: [
        { type: Event_EventType.PUT, kv: foo, prevKv: before },
        { type: Event_EventType.DELETE, kv: deleted },
      ],
    });
    expectFormats("watch", response, {
      simple: "PUT\nfoo\nwas\nfoo\nbar\nDELETE\nfoo\n\n",
      fields: [
        `${fieldsHeader}"Type" : PUT\n${fieldsBefore}${fieldsFoo}"Type" : DELETE\n`,
        '"Key" : "foo"\n"CreateRevision" : 0\n"ModRevision" : 29\n"Version" : 0\n"Value" : ""\n"Lease" : 0\n',
      ].join(""),
      json: [
        `{"Header":${jsonHeader},"Events":[{"kv":${jsonFoo},"prev_kv":${jsonBefore}},`,
        '{"type":1,"kv":{"key":"Zm9v","mod_revision":29}}],"CompactRevision":0,"Canceled":false,"Created":false}\n',
      ].join(""),
    });
  });

  test("a watch that the server ends", () => {
    const response = WatchResponse.fromPartial({ header, canceled: true, compactRevision: 5 });
    expect(format("json", "watch", response)).toBe(
      `{"Header":${jsonHeader},"Events":[],"CompactRevision":5,"Canceled":true,"Created":false}\n`,
    );
  });
});

describe("leases", () => {
  const ID = 1418811982100762274n;

  test("grant", () => {
    expectFormats(
      "leaseGrant",
      { header, ID, TTL: 300, error: "" },
      {
        simple: "lease 13b0a1fb042f0ea2 granted with TTL(300s)\n",
        fields: `${fieldsHeader}"ID" : ${ID}\n"TTL" : 300\n`,
        json: `{${flatJsonHeader},"ID":${ID},"TTL":300,"Error":""}\n`,
      },
    );
  });

  test("revoke", () => {
    expectFormats(
      "leaseRevoke",
      { id: 5n, response: { header } },
      { simple: "lease 0000000000000005 revoked\n", fields: fieldsHeader, json: `{"header":${jsonHeader}}\n` },
    );
  });

  test("keep-alive", () => {
    expectFormats(
      "leaseKeepAlive",
      { header, ID, TTL: 300 },
      {
        simple: "lease 13b0a1fb042f0ea2 keepalived with TTL(300)\n",
        fields: `${fieldsHeader}"ID" : ${ID}\n"TTL" : 300\n`,
        json: `{${flatJsonHeader},"ID":${ID},"TTL":300}\n`,
      },
    );
  });

  test("time to live with keys", () => {
    const response = { header, ID, TTL: 299, grantedTTL: 300, keys: [utf8("a"), utf8("b c")] };
    expectFormats(
      "leaseTimeToLive",
      { response, keys: true },
      {
        simple: "lease 13b0a1fb042f0ea2 granted with TTL(300s), remaining(299s), attached keys([a b c])\n",
        fields: `${fieldsHeader}"ID" : ${ID}\n"TTL" : 299\n"GrantedTTL" : 300\n"Key" : "a"\n"Key" : "b c"\n`,
        json: `{${flatJsonHeader},"id":${ID},"ttl":299,"granted-ttl":300,"keys":["YQ==","YiBj"]}\n`,
      },
    );
  });

  test("time to live of a lease that is gone", () => {
    const response = { header, ID, TTL: -1, grantedTTL: 0, keys: [] };
    expectFormats(
      "leaseTimeToLive",
      { response, keys: false },
      {
        simple: "lease 13b0a1fb042f0ea2 already expired\n",
        fields: `${fieldsHeader}"ID" : ${ID}\n"TTL" : -1\n"GrantedTTL" : 0\n`,
        json: `{${flatJsonHeader},"id":${ID},"ttl":-1,"granted-ttl":0,"keys":null}\n`,
      },
    );
  });

  test("list", () => {
    expectFormats(
      "leaseList",
      { header, leases: [{ ID }, { ID: 1n }] },
      {
        simple: "found 2 leases\n13b0a1fb042f0ea2\n0000000000000001\n",
        fields: `${fieldsHeader}"ID" : ${ID}\n"ID" : 1\n`,
        json: `{${flatJsonHeader},"leases":[{"id":${ID}},{"id":1}]}\n`,
      },
    );
  });
});

describe("members and alarms", () => {
  const members = [
    {
      ID: 866438725274843434n,
      name: "default",
      peerURLs: ["http://127.0.0.1:23691"],
      clientURLs: ["http://127.0.0.1:23690"],
      isLearner: false,
    },
    {
      ID: 16074794733247262782n,
      name: "",
      peerURLs: ["http://127.0.0.1:1", "http://127.0.0.1:2"],
      clientURLs: [],
      isLearner: true,
    },
  ];

  test("member list", () => {
    expectFormats(
      "memberList",
      { header, members },
      {
        simple: [
          "c06356e17a6392a, started, default, http://127.0.0.1:23691, http://127.0.0.1:23690, false\n",
          "df1524a45885f03e, unstarted, , http://127.0.0.1:1,http://127.0.0.1:2, , true\n",
        ].join(""),
        fields: [
          fieldsHeader,
          '"ID" : 866438725274843434\n"Name" : "default"\n"PeerURL" : "http://127.0.0.1:23691"\n',
          '"ClientURL" : "http://127.0.0.1:23690"\n"IsLearner" : false\n\n',
          '"ID" : 16074794733247262782\n"Name" : ""\n"PeerURL" : "http://127.0.0.1:1"\n',
          '"PeerURL" : "http://127.0.0.1:2"\n"IsLearner" : true\n\n',
        ].join(""),
        json: [
          `{"header":${jsonHeader},"members":[{"ID":866438725274843434,"name":"default",`,
          '"peerURLs":["http://127.0.0.1:23691"],"clientURLs":["http://127.0.0.1:23690"]},',
          '{"ID":16074794733247262782,"peerURLs":["http://127.0.0.1:1","http://127.0.0.1:2"],"isLearner":true}]}\n',
        ].join(""),
      },
    );
  });

  test("member list as a table", () => {
    expect(format("table", "memberList", { header, members })).toBe(
      [
        "+------------------+-----------+---------+---------------------------------------+------------------------+------------+",
        "|        ID        |  STATUS   |  NAME   |              PEER ADDRS               |      CLIENT ADDRS      | IS LEARNER |",
        "+------------------+-----------+---------+---------------------------------------+------------------------+------------+",
        "|  c06356e17a6392a |   started | default |                http://127.0.0.1:23691 | http://127.0.0.1:23690 |      false |",
        "| df1524a45885f03e | unstarted |         | http://127.0.0.1:1,http://127.0.0.1:2 |                        |       true |",
        "+------------------+-----------+---------+---------------------------------------+------------------------+------------+",
        "",
      ].join("\n"),
    );
  });

  test("changes of members", () => {
    const [member] = members;
    expect(format("simple", "memberAdd", { header, member, members })).toBe(
      "Member  c06356e17a6392a added to cluster 8cc9da78b36d1115\n",
    );
    const change = { id: 16074794733247262782n, response: { header, members } };
    expect(format("simple", "memberRemove", change)).toBe(
      "Member df1524a45885f03e removed from cluster 8cc9da78b36d1115\n",
    );
    expect(format("json", "memberUpdate", change)).toBe(format("json", "memberList", { header, members }));
    expect(() => format("fields", "memberPromote", change)).toThrow("fields not supported as output format");
  });

  test("alarms", () => {
    const alarms = [{ memberID: 866438725274843434n, alarm: AlarmType.NOSPACE }];
    expectFormats(
      "alarm",
      { header: undefined, alarms },
      {
        simple: "memberID:866438725274843434 alarm:NOSPACE \n",
        fields: '"MemberID" : 866438725274843434\n"AlarmType" : NOSPACE\n\n',
        json: '{"alarms":[{"memberID":866438725274843434,"alarm":1}]}\n',
      },
    );
    expectFormats("alarm", { header: undefined, alarms: [] }, { simple: "", fields: "", json: "{}\n" });
  });
});

describe("endpoints", () => {
  const endpoint = "127.0.0.1:23690";
  const response = StatusResponse.fromPartial({
    header: { ...header, memberId: 866438725274843434n },
    version: "3.4.23",
    dbSize: 81_920,
    dbSizeInUse: 77_824,
    leader: 866438725274843434n,
    raftIndex: 10,
    raftTerm: 2,
    raftAppliedIndex: 9,
    errors: ["memberID:866438725274843434 alarm:NOSPACE "],
  });

  test("status", () => {
    expectFormats("endpointStatus", [{ endpoint, response }], {
      simple: `${endpoint}, c06356e17a6392a, 3.4.23, 82 kB, true, false, 2, 10, 9, memberID:866438725274843434 alarm:NOSPACE \n`,
      fields: [
        fieldsHeader.replace("12428976124636271536", "866438725274843434"),
        '"Version" : "3.4.23"\n"DBSize" : 81920\n"Leader" : 866438725274843434\n"IsLearner" : false\n',
        '"RaftIndex" : 10\n"RaftTerm" : 2\n"RaftAppliedIndex" : 9\n',
        '"Errors" : [memberID:866438725274843434 alarm:NOSPACE ]\n"Endpoint" : "127.0.0.1:23690"\n\n',
      ].join(""),
      json: [
        `[{"Endpoint":"${endpoint}","Status":{"header":${jsonHeader.replace("12428976124636271536", "866438725274843434")},`,
        '"version":"3.4.23","dbSize":81920,"leader":866438725274843434,"raftIndex":10,"raftTerm":2,',
        '"raftAppliedIndex":9,"errors":["memberID:866438725274843434 alarm:NOSPACE "],"dbSizeInUse":77824}}]\n',
      ].join(""),
    });
  });

  test("status as a table breaks long errors", () => {
    expect(format("table", "endpointStatus", [{ endpoint, response }])).toBe(
      [
        "+-----------------+-----------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------------------------------+",
        "|    ENDPOINT     |       ID        | VERSION | DB SIZE | IS LEADER | IS LEARNER | RAFT TERM | RAFT INDEX | RAFT APPLIED INDEX |             ERRORS             |",
        "+-----------------+-----------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------------------------------+",
        "| 127.0.0.1:23690 | c06356e17a6392a |  3.4.23 |   82 kB |      true |      false |         2 |         10 |                  9 |    memberID:866438725274843434 |",
        "|                 |                 |         |         |           |            |           |            |                    |                 alarm:NOSPACE  |",
        "+-----------------+-----------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------------------------------+",
        "",
      ].join("\n"),
    );
  });

  test("status of no endpoint as a table", () => {
    const [top, headings, rule, bottom] = format("table", "endpointStatus", []).split("\n");
    expect(headings).toMatch(/^\| ENDPOINT \| ID \|/);
    expect([rule, bottom]).toEqual([top, top]);
  });

  const health = [
    { endpoint, tookMs: 0.726446, error: undefined },
    { endpoint: "127.0.0.1:1", tookMs: 5001.765769, error: "context deadline exceeded" },
  ];

  test("health", () => {
    expectFormats("endpointHealth", health, {
      simple: [
        "127.0.0.1:23690 is healthy: successfully committed proposal: took = 726.446µs\n",
        "127.0.0.1:1 is unhealthy: failed to commit proposal: context deadline exceeded\n",
      ].join(""),
      fields: [
        '"Endpoint" : "127.0.0.1:23690"\n"Health" : true\n"Took" : 726.446µs\n"Error" : \n\n',
        '"Endpoint" : "127.0.0.1:1"\n"Health" : false\n"Took" : 5.001765769s\n"Error" : context deadline exceeded\n\n',
      ].join(""),
      json: [
        '[{"endpoint":"127.0.0.1:23690","health":true,"took":"726.446µs"},',
        '{"endpoint":"127.0.0.1:1","health":false,"took":"5.001765769s","error":"context deadline exceeded"}]\n',
      ].join(""),
    });
    expect(format("table", "endpointHealth", health)).toBe(
      [
        "+-----------------+--------+--------------+---------------------------+",
        "|    ENDPOINT     | HEALTH |     TOOK     |           ERROR           |",
        "+-----------------+--------+--------------+---------------------------+",
        "| 127.0.0.1:23690 |   true |    726.446µs |                           |",
        "|     127.0.0.1:1 |  false | 5.001765769s | context deadline exceeded |",
        "+-----------------+--------+--------------+---------------------------+",
        "",
      ].join("\n"),
    );
  });

  test("hashkv", () => {
    const hash = { header, hash: 4069470394, compactRevision: 2, hashRevision: 29 };
    expectFormats("endpointHashKv", [{ endpoint, response: hash }], {
      simple: "127.0.0.1:23690, 4069470394\n",
      fields: `${fieldsHeader}"Endpoint" : "127.0.0.1:23690"\n"Hash" : 4069470394\n\n`,
      json: `[{"Endpoint":"${endpoint}","HashKV":{"header":${jsonHeader},"hash":4069470394,"compact_revision":2}}]\n`,
    });
  });
});

describe("formats", () => {
  test("protobuf is the encoded answer, or its header where etcdctl writes no more", () => {
    const formatter = createFormatter("protobuf", { hex: false, valueOnly: false });
    const txn = TxnResponse.fromPartial({ header, succeeded: true });
    expect(TxnResponse.decode(formatter.txn(txn) as Uint8Array)).toEqual(txn);
    const lease = formatter.leaseGrant({ header, ID: 7n, TTL: 5, error: "" });
    expect(Buffer.from(lease as Uint8Array).toString("hex")).toBe(
      "0895a2b49b8bcff6e48c0110b0a786f6f0fda5beac01181d2002",
    );
  });

  test.each([
    ["table", "put", { header, prevKv: undefined }],
    ["protobuf", "endpointHealth", []],
    ["protobuf", "leaseRevoke", { id: 1n, response: { header } }],
  ] as const)("%s has no form for %s", (name, kind, answer) => {
    expect(() => format(name, kind, answer as Answers[typeof kind])).toThrow(
      expect.objectContaining({
        message: `${name} not supported as output format`,
        exitCode: exitCodes.badFeature,
      }),
    );
  });

  test("a format that there is not", () => {
    expect(() => createFormatter("yaml", { hex: false, valueOnly: false })).toThrow(
      expect.objectContaining({ message: "unsupported output format", exitCode: exitCodes.badFeature }),
    );
  });
});

test("a downgrade tells the version of the cluster", () => {
  const response = { header, version: "3.6" };
  expectFormats(
    "downgrade",
    { done: "enable", response },
    {
      simple: "Downgrade enable success, cluster version 3.6\n",
      fields: `${fieldsHeader}"Version" : "3.6"\n`,
      json: `{"header":${jsonHeader},"version":"3.6"}\n`,
    },
  );
});
