/** @module The commands about what Conclave's recipes keep, on a real member and on etcd: they ask nothing of Conclave's own. */
import { type Client, connect } from "@conclave/client";
import { createConfig } from "@conclave/config";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createTopic } from "@conclave/pubsub";
import { createRegistry } from "@conclave/registry";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type CliRunOptions, runCli } from "../testing/run-cli.ts";

describe.each(backEnds())("on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    const run = (args: readonly string[], options?: CliRunOptions) =>
      runCli([...args, `--endpoints=${member.endpoint}`], options);
    const json = async (...args: readonly string[]) => {
      const { out, err, exit } = await run([...args, "-w=json"]);
      expect({ err, exit }).toEqual({ err: "", exit: 0 });
      return JSON.parse(out);
    };
    /** Runs a command that does not end by itself until it has shown enough. */
    const runUntil = async (args: readonly string[], isEnough: (out: string) => boolean) => {
      const interrupted = new AbortController();
      return await run(args, {
        signal: interrupted.signal,
        onOut: (out) => {
          if (isEnough(out)) interrupted.abort();
        },
      });
    };

    describe("services", () => {
      test("lists instances in every format, with lease and age", async () => {
        const registry = createRegistry(client, { ttlSec: 20 });
        await using _web = await registry.register({
          ...{ service: "web", id: "w1", version: "1.2", zone: "eu" },
          addresses: { http: "http://10.0.0.7:80", grpc: "10.0.0.7:90" },
        });
        await using mail = await registry.register({ service: "mail", id: "m1", addresses: { smtp: "10.0.0.8:25" } });
        const draining = new Promise<void>((resolve) => mail.once("draining", resolve));
        void mail.drain({ graceMs: 60_000 });
        await draining;

        const { out } = await run(["services"]);
        const [headings, ...lines] = out.trimEnd().split("\n");
        expect(headings).toMatch(/^SERVICE +ID +ADDRESSES +VERSION +ZONE +STATE +LEASE TTL +AGE$/);
        expect(lines).toEqual([
          expect.stringMatching(/^mail +m1 +smtp=10\.0\.0\.8:25 +draining +\d+s of 20s +\d+s$/),
          expect.stringMatching(
            /^web +w1 +http=http:\/\/10\.0\.0\.7:80,grpc=10\.0\.0\.7:90 +1\.2 +eu +up +\d+s of 20s +\d+s$/,
          ),
        ]);
        expect((await run(["services", "web"])).out.split("\n")).toHaveLength(3);
        expect((await run(["services", "web", "-w=table"])).out).toMatch(
          /^\+-[\s\S]*\| +LEASE TTL +\|[\s\S]*\| +w1 +\|/,
        );
        expect((await run(["services", "web", "-w=fields"])).out).toMatch(
          /^"Service" : "web"\n"ID" : "w1"\n[\s\S]*"LeaseTTL" : "/,
        );
        const [listed] = (await json("services", "web")).instances;
        expect(listed).toMatchObject({ id: "w1", addresses: { grpc: "10.0.0.7:90" }, grantedTTL: 20, zone: "eu" });
        expect(listed.registeredAtMs).toBeGreaterThan(Date.now() - 60_000);
        expect(await run(["services", "-w=protobuf"])).toMatchObject({ exit: 4, out: "" });
      });

      test("--watch shows what is there, then every change", async () => {
        const registry = createRegistry(client);
        const first = await registry.register({ service: "live", id: "a", addresses: { tcp: "10.0.0.1:1" } });
        let changed = false;
        const { out, exit } = await runUntil(["services", "live", "--watch"], (shown) => {
          if (!changed && shown.includes("added live/a")) {
            changed = true;
            void first.update({ zone: "eu" }).then(() => first.deregister());
          }
          return shown.includes("removed");
        });
        expect(exit).toBe(0);
        expect(out).toBe(
          [
            "added live/a tcp=10.0.0.1:1 up\n",
            "updated live/a tcp=10.0.0.1:1 eu up\n",
            // Who deregisters says so first, so that nobody takes it for a crash.
            "updated live/a tcp=10.0.0.1:1 eu draining\n",
            "removed live/a tcp=10.0.0.1:1 eu draining\n",
          ].join(""),
        );
      });

      test("names keys that hold no instance, and other people's mistakes end nothing", async () => {
        await client.put("broken/web/x", "{}");
        const { out, err, exit } = await run(["services", "--prefix=broken/"]);
        expect({ err, exit }).toEqual({ err: '"broken/web/x" holds no instance\n', exit: 0 });
        expect(out.split("\n")).toHaveLength(2);
      });
    });

    describe("locks", () => {
      test("lists and explains a lock that is held and waited for", async () => {
        const name = "jobs/report";
        const lock = (holder: string) => createLock(client, name, { ttlSec: 20, holder });
        const held = await lock("worker-1").acquire();
        await client.put("jobs/owner", "worker-1 on host-7", { lease: held.lease });
        const given = new AbortController();
        const waiting = lock("")
          .acquire({ signal: given.signal })
          .catch(() => undefined);
        while ((await lock("").inspect()).waiters.length === 0);

        expect((await run(["locks", "jobs/"])).out).toMatch(
          /^NAME +HOLDER +FENCE +LEASE +LEASE TTL +WAITERS\njobs\/report +worker-1 +\d+ +[0-9a-f]+ +\d+s of 20s +1\n$/,
        );
        expect((await json("locks")).locks).toMatchObject([
          { name, holder: "worker-1", fence: held.fence, waiters: 1 },
        ]);
        expect((await run(["locks", "other/"])).out.split("\n")).toHaveLength(2);
        const lease = held.lease.toString(16);
        const { out } = await run(["locks", "explain", name]);
        expect(out.split("\n")).toEqual([
          expect.stringMatching(
            new RegExp(
              `^"jobs/report" is held by "worker-1", whose lease ${lease} ends in \\d+ s unless renewed \\(.*for 20 s\\); 1 waits\\.$`,
            ),
          ),
          `  key "${held.key}", fence ${held.fence}`,
          expect.stringMatching(new RegExp(`^  in the queue since revision ${held.fence}, \\d+ revisions ago$`)),
          '  the same lease holds "jobs/owner"',
          expect.stringMatching(/^1\. lease [0-9a-f]+, which says nothing of itself waits since revision \d+, /),
          expect.stringMatching(
            new RegExp(`^If the holder is dead, wait \\d+ s: .* conclavectl lease revoke ${lease} `),
          ),
          "",
        ]);
        const told = await json("locks", "explain", name);
        expect(told).toMatchObject({
          held: true,
          holder: { holder: "worker-1", fence: held.fence },
          otherKeys: ["jobs/owner"],
        });
        expect(told.waiters).toHaveLength(1);
        given.abort();
        await waiting;
        await held.release();
        expect((await run(["locks", "explain", name])).out).toBe(
          '"jobs/report" is free: whoever asks for it now holds it at once.\n',
        );
      });

      test("knows what other clients hold, and a key of no lease that blocks a lock for ever", async () => {
        const { id } = await client.lease.grant({ ttlSec: 20 });
        await client.put(`go/mutex/${id.toString(16)}`, "", { lease: id });
        expect((await json("locks", "go/")).locks).toMatchObject([{ name: "go/mutex", holder: "" }]);
        await client.put("stuck/for-ever", "");
        expect((await run(["locks", "explain", "stuck"])).out).toMatch(
          /on no lease, so that it stays until its key is deleted; nobody waits\.\n[\s\S]*: conclavectl del stuck\/for-ever\n$/,
        );
      });

      test.each([
        [["locks", "a", "b"], "locks takes at most one argument"],
        [["locks", "explain"], "locks explain takes <name>"],
      ])("%j is refused", async (args, message) => {
        expect(await run(args)).toEqual({ out: "", err: `Error: ${message}\n`, exit: 128 });
      });
    });

    test("elections lists leaders, and shows one election with who stands behind", async () => {
      const name = "leaders/scheduler";
      const leadership = await createElection(client, name, { ttlSec: 20 }).campaign("node-a");
      const given = new AbortController();
      const behind = createElection(client, name)
        .campaign("node-b", { signal: given.signal })
        .catch(() => undefined);
      while ((await createElection(client, name).inspect()).candidates.length === 0);
      await leadership.proclaim("node-a at 10.0.0.1");
      expect((await run(["elections"])).out).toMatch(
        /\nleaders\/scheduler +node-a at 10\.0\.0\.1 +\d+ +revision \d+ +revision \d+ +\d+s of 20s +1\n/,
      );
      const { out } = await run(["elections", name]);
      expect(out.split("\n")).toEqual([
        expect.stringMatching(/^PLACE +VALUE +FENCE +SINCE +LEASE +LEASE TTL$/),
        expect.stringMatching(/^leader +node-a at 10\.0\.0\.1 +\d+ +revision \d+ of \d+ +[0-9a-f]+ +\d+s of 20s$/),
        expect.stringMatching(/^1 +node-b +\d+ +revision \d+ of \d+ +[0-9a-f]+ +\d+s of 15s$/),
        "",
      ]);
      const told = await json("elections", name);
      expect(told).toMatchObject({
        leader: { value: "node-a at 10.0.0.1", fence: leadership.fence },
        candidates: [{ value: "node-b" }],
      });
      expect((await json("elections", "no/such")).candidates).toEqual([]);
      given.abort();
      await behind;
      await leadership.resign();
    });

    test("config publishes, shows and takes back what applications read", async () => {
      const schema = z.object({ limit: z.number().int().min(1) });
      const config = createConfig(client, "config/limits", { schema });
      await using live = await config.live();
      const refused: string[] = [];
      live.on("rejected", ({ message }) => void refused.push(message));

      expect((await run(["config", "get", "config/limits"])).err).toBe('Error: "config/limits" was never published\n');
      const [{ revision }] = await json("config", "set", "config/limits", '{"limit":5}');
      for await (const { value } of live) if (value.limit === 5) break;
      expect((await run(["config", "get", "config/limits"])).out).toBe('{\n  "limit": 5\n}\n');
      expect((await run(["config", "set", "config/limits", '{"limit":7}', `--revision=${revision}`])).exit).toBe(0);
      const late = await run(["config", "set", "config/limits", '{"limit":8}', `--revision=${revision}`]);
      expect(late).toEqual({
        out: "",
        err: `Error: "config/limits" was changed since revision ${revision}\n`,
        exit: 1,
      });
      const broken = await run(["config", "set", "config/limits", "{limit:8}"]);
      expect(broken.exit).toBe(128);
      expect(broken.err).toMatch(/^Error: the value is no JSON: /);

      await run(["config", "set", "config/limits", '{"limit":0}']);
      while (refused.length === 0) await client.get("config/limits");
      expect(live.current?.value.limit).toBe(7);
      expect((await run(["config", "history", "config/limits"])).out).toMatch(
        /^REVISION +VALUE\n\d+ +\{"limit":0\}\n\d+ +\{"limit":7\}\n\d+ +\{"limit":5\}\n$/,
      );
      expect((await run(["config", "diff", "config/limits"])).out).toMatch(/^PATH +BEFORE +AFTER\nlimit +7 +0\n$/);
      expect((await json("config", "rollback", "config/limits", "--by=ada"))[0].value).toEqual({ limit: 7 });
      expect((await json("config", "history", "config/limits"))[0].notes).toMatchObject({ by: "ada" });
      expect((await json("config", "rollback", "config/limits", `--revision=${revision}`))[0].value).toEqual({
        limit: 5,
      });
      expect(await config.get()).toMatchObject({ value: { limit: 5 } });
      expect((await json("config", "list", "config/")).configs).toMatchObject([
        { key: "config/limits", publications: 5 },
      ]);
      expect((await run(["config", "history", "config/limits", "--limit=0"])).exit).toBe(128);
      await using _running = await config.live({ instance: { id: "orders-1" }, acknowledge: true });
      const running = async () => (await run(["config", "running", "config/limits"])).out;
      await expect.poll(running).toMatch(/^INSTANCE +REVISION +GRAY +REFUSES\norders-1 +\d+ +false\n$/);
    });

    test("topics publishes, shows, lists and follows what subscribers get", async () => {
      const topic = createTopic<{ order: number }>(client, "orders");
      const published = await json("topics", "publish", "orders", '{"order":1}', "--id=o1");
      expect(await json("topics", "publish", "orders", '{"order":1}', "--id=o1")).toEqual(published);
      await run(["topics", "publish", "orders", '{"order":2}']);
      for await (const delivery of topic.subscription("billing").messages()) {
        expect(delivery).toMatchObject({ id: "o1", position: published.position, message: { order: 1 } });
        await delivery.ack();
        break;
      }
      expect((await run(["topics", "list"])).out).toMatch(
        /^NAME +MESSAGES +OLDEST +NEWEST +SUBSCRIBERS\norders +2 +\d+ +\d+ +1\n$/,
      );
      expect((await run(["topics", "show", "orders"])).out).toMatch(
        /^"orders" holds 2 messages, positions \d+ to \d+\nSUBSCRIBER +POSITION +BEHIND\nbilling +\d+ +1\n$/,
      );
      expect(await json("topics", "show", "none")).toMatchObject({ messages: 0, subscriptions: [] });
      let more = false;
      const { out, exit } = await runUntil(["topics", "tail", "orders", "--from=earliest"], (shown) => {
        if (!more && shown.includes('{"order":2}')) {
          more = true;
          void topic.publish({ order: 3 }, { id: "o3" });
        }
        return shown.includes("o3");
      });
      expect(exit).toBe(0);
      expect(out).toMatch(/^\d+ o1 \{"order":1\}\n\d+ [0-9a-f]+ \{"order":2\}\n\d+ o3 \{"order":3\}\n$/);
      const unquoted = await run(["topics", "publish", "orders", "hello"]);
      expect(unquoted.exit).toBe(128);
      expect(unquoted.err).toMatch(/quote it as JSON, such as "\\"hello\\"", or give --text\n$/);
      expect((await run(["topics", "publish", "lines", "hello", "--text"])).exit).toBe(0);
      expect((await run(["topics", "tail", "orders", "--from=yesterday"])).exit).toBe(128);
    });
  });
});
