/** @module Clients of etcd measure a connection by pings while a long answer comes in; that must not end it. */
import { createClient } from "@conclave/client";
import { etcdAbsence, startMember } from "@conclave/testkit";
import { expect, test } from "vitest";
import { programs, run } from "./stored-state.ts";

const absent = etcdAbsence("3.4");

test.skipIf(absent)(`etcdctl reads an answer of megabytes ${absent ?? ""}`, async () => {
  await using member = await startMember();
  await using client = createClient({ endpoints: [member.endpoint] });
  const [keys, valueBytes] = [40, 100_000];
  for (let number = 0; number < keys; number++) await client.put(`key ${number}`, "v".repeat(valueBytes));
  const { stdout } = await run(programs("3.4").etcdctl, [`--endpoints=${member.endpoint}`, "get", "", "--prefix"], {
    env: { ...process.env, ETCDCTL_API: "3" },
    maxBuffer: 64 * 2 ** 20,
  });
  expect(stdout.length).toBeGreaterThan(keys * valueBytes);
});
