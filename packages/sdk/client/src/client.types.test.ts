/** @module What the compiler holds users to. Nothing here runs: a line that is marked must not compile, all others must. */
import { describe, expectTypeOf, test } from "vitest";
import * as z from "zod";
import type { Client } from "./client.ts";
import { type Codec, jsonCodec, schemaCodec, stringCodec } from "./codec.ts";
import type { Entry } from "./keyspace/entry.ts";
import type { TypedKeyspace } from "./keyspace/typed-keyspace.ts";
import { compare } from "./kv/compare.ts";
import type { KeyValue } from "./kv/key-value.ts";
import type { DeleteResult, PutResult, RangeResult } from "./kv/kv-options.ts";
import { type Op, op } from "./kv/op.ts";
import type { TxnResult } from "./kv/txn.ts";
import type { TypedTxn } from "./transact/typed-txn.ts";

interface Account {
  readonly owner: string;
  readonly balance: number;
}
const account = z.object({ owner: z.string(), balance: z.number() });
declare const client: Client;
declare const accounts: TypedKeyspace<string, Account>;
const takes = <T>(_value: T): void => {};
/** Compiled, not called. */
const compiles = (program: () => unknown) => expectTypeOf(program).toBeFunction();

describe("a wrong codec does not compile", () => {
  test("where the schema, the codec and the values differ", () => {
    compiles(() => {
      expectTypeOf(client.keyspace("a/", { value: schemaCodec(account) })).toExtend<TypedKeyspace<string, Account>>();
      // @ts-expect-error: text is no account
      takes<Codec<Account>>(stringCodec);
      // @ts-expect-error: a codec decodes, too
      takes<Codec<number>>({ encode: (value: number) => stringCodec.encode(`${value}`) });
      // @ts-expect-error: the schema's values are not these
      takes<Codec<{ readonly id: number }>>(schemaCodec(account));
      // @ts-expect-error: keys of one's own type need a codec
      client.keyspace<number, Account>("a/", { value: schemaCodec(account) });
    });
  });

  test("where a value of another type is written, in a transaction too", () => {
    compiles(async () => {
      // @ts-expect-error: no balance
      void accounts.put("a", { owner: "ada" });
      // @ts-expect-error: a number is no key here
      void accounts.get(1);
      await client.transact(async (tx) => {
        expectTypeOf(tx.in(accounts)).toEqualTypeOf<TypedTxn<string, Account>>();
        expectTypeOf(tx.in(accounts).get).returns.resolves.toEqualTypeOf<Account | undefined>();
        // @ts-expect-error: text is no account
        tx.in(accounts).put("a", "rich");
        // @ts-expect-error: it may not be there
        (await tx.in(accounts).get("a")).balance;
        // @ts-expect-error: raw keys hold bytes or text
        tx.put("a", { owner: "ada", balance: 1 });
      });
    });
  });

  test("where a watch's events are taken for something else", () => {
    compiles(async () => {
      for await (const { events } of accounts.watch())
        for (const event of events) {
          // @ts-expect-error: only a put has an entry
          event.entry;
          if (event.type === "put") expectTypeOf(event.entry).toEqualTypeOf<Entry<string, Account>>();
          if (event.type === "delete") expectTypeOf(event.key).toEqualTypeOf<string>();
          if (event.type === "invalid") expectTypeOf(event.rawKey).toEqualTypeOf<Uint8Array>();
        }
    });
  });
});

describe("an unhandled outcome does not compile", () => {
  test("of a write: each kind has its own fields, and a switch that leaves one out gives nothing", () => {
    compiles(async () => {
      const outcome = await accounts.put("a", { owner: "ada", balance: 1 }, { if: { modRevision: 0 } });
      // @ts-expect-error: an unknown outcome has no revision
      outcome.revision;
      // @ts-expect-error: `unknown` is left out
      takes((): number => {
        // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- that it is not is what is tested
        switch (outcome.kind) {
          case "committed":
            return outcome.revision;
          case "rejected":
            return outcome.current?.value.balance ?? 0;
        }
      });
      takes((): number => {
        switch (outcome.kind) {
          case "committed":
            return outcome.revision;
          case "rejected":
            return outcome.current?.value.balance ?? 0;
          case "unknown":
            throw outcome.error;
        }
      });
    });
  });

  test("of a transaction: answers are those of the way it went, each at its place", () => {
    compiles(async () => {
      const result = await client
        .txn()
        .if(compare.version("a").equal(0))
        .then(op.put("a", "1"), op.get("b"), op.delete("c"))
        .else(op.range("d"), client.txn().then(op.get("e")))
        .commit();
      if (result.succeeded)
        expectTypeOf(result.responses).toEqualTypeOf<readonly [PutResult, KeyValue | undefined, DeleteResult]>();
      else
        expectTypeOf(result.responses).toEqualTypeOf<
          readonly [RangeResult, TxnResult<readonly [Op<KeyValue | undefined>], []>]
        >();
      // @ts-expect-error: there are three answers or two
      result.responses[3];
      // @ts-expect-error: the first may be that of a read
      result.responses[0].prevKv;
    });
  });

  test("of a lease: ids are 64 bits wide", () => {
    compiles(() => {
      // @ts-expect-error: a number cannot hold every lease
      void client.put("a", "", { lease: 7 });
      // @ts-expect-error: it cannot here either
      void client.lease.revoke(7);
      expectTypeOf(client.session).returns.resolves.toHaveProperty("lease").toEqualTypeOf<bigint>();
      // @ts-expect-error: what JSON promises must be said
      expectTypeOf(jsonCodec().decode).returns.toEqualTypeOf<Account>();
    });
  });
});
