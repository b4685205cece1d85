/** @module What is served over plain HTTP beside gRPC, on the same port. */
import { type EtcdVersion, etcdAbsence } from "@conclave/testkit";
import { describe, it } from "vitest";
import { conclave, etcd34, etcd35 } from "./sides.ts";
import { expectSame, type Side } from "./suite.ts";

interface HttpCall {
  readonly path: string;
  readonly method?: string;
  /** Compare the status only. */
  readonly anyBody?: boolean;
  readonly differs?: Partial<Record<EtcdVersion, string>>;
}

const reason = { "3.4": "health-reason" };
const livez = { "3.4": "livez" };
const calls: readonly HttpCall[] = [
  { path: "/version", anyBody: true },
  { path: "/health", differs: reason },
  { path: "/health?serializable=true", differs: reason },
  { path: "/health?exclude=NOSPACE", differs: reason },
  { path: "/livez", differs: livez },
  { path: "/livez?verbose", differs: livez },
  { path: "/readyz", differs: livez },
  { path: "/readyz?verbose", differs: livez },
  { path: "/metrics", anyBody: true },
  { path: "/nonsense" },
  // Ours says more: test/e2e/http-endpoints.test.ts.
  { path: "/v2/keys", anyBody: true },
  ...["POST", "PUT", "DELETE", "HEAD"].flatMap((method) => [
    { method, path: "/version" },
    { method, path: "/health" },
  ]),
];

async function shownBy(side: Side): Promise<object[]> {
  await using server = await side.start();
  const shown: object[] = [];
  for (const { path, method = "GET", anyBody = false } of calls) {
    const reply = await fetch(`http://${server.endpoint}${path}`, { method });
    // etcd goes through its checks in another order each time.
    const body = (await reply.text()).split("\n").sort().join("\n");
    const { status, headers } = reply;
    shown.push({ path, method, status, allow: headers.get("allow"), ...(!anyBody && { body }) });
  }
  return shown;
}

function compareHttp(left: Side, right: Side): void {
  it(`${right.name} answers as ${left.name}`, async () => {
    const [expected, actual] = await Promise.all([shownBy(left), shownBy(right)]);
    const noted = (shown: object[]) => shown.map((each, at) => ({ ...each, differs: calls[at]?.differs ?? {} }));
    expectSame({ side: left, shown: noted(expected) }, { side: right, shown: noted(actual) });
  });
}

describe("plain HTTP", () => {
  const absent = { "3.4": etcdAbsence("3.4"), "3.5": etcdAbsence("3.5") };
  describe.skipIf(absent["3.4"])(`against etcd 3.4 ${absent["3.4"] ?? ""}`, () => compareHttp(etcd34, conclave));
  describe.skipIf(absent["3.5"])(`against etcd 3.5 ${absent["3.5"] ?? ""}`, () => compareHttp(etcd35, conclave));
  describe.skipIf(absent["3.4"] ?? absent["3.5"])("etcd 3.4 against 3.5", () => compareHttp(etcd35, etcd34));
});
