import { describe, expect, test } from "vitest";
import { bindService, type ServiceHandlers, unimplemented } from "./service.ts";
import { EchoDefinition, keyValue } from "./testing/echo-service.ts";

type Handlers = ServiceHandlers<typeof EchoDefinition>;

const complete: Handlers = {
  say: (request) => request,
  count: async () => undefined,
  join: async () => keyValue("joined"),
  chat: async () => undefined,
  never: unimplemented,
};

describe("bindService()", () => {
  test("binds every method but those left out on purpose", () => {
    const { fullName, methods } = bindService(EchoDefinition, complete);
    expect(fullName).toBe("test.Echo");
    expect(methods.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "Say unary",
      "Count serverStream",
      "Join clientStream",
      "Chat bidi",
    ]);
  });

  test("does not compile without a handler for each method, nor with one of another kind", () => {
    const { chat: _chat, ...incomplete } = complete;
    // @ts-expect-error - a method is missing
    expect(() => bindService(EchoDefinition, incomplete)).toThrow(
      'Cannot bind test.Echo as the method "chat" has no handler',
    );
    // @ts-expect-error - a unary method does not get a response stream
    const wrong: Handlers = { ...complete, say: async (_request, responses) => responses.write(keyValue("")) };
    expect(wrong).toBeDefined();
  });

  test("calls handlers with the object they came in as `this`", () => {
    const service = { ...complete, prefix: "said ", say: sayWithPrefix };
    const [say] = bindService(EchoDefinition, service).methods;
    if (say?.kind !== "unary") throw new Error("The first method is unary");
    expect(say.handler(keyValue("hello"), {} as never)).toBe("said ");
  });
});

function sayWithPrefix(this: { readonly prefix: string }): never {
  return this.prefix as never;
}
