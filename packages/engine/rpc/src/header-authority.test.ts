import { describe, expect, test } from "vitest";
import { mendAuthority } from "./header-authority.ts";

const block = (...parts: readonly (string | readonly number[] | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
const post = [0x83];
const plain = (name: readonly number[], value: string) => block(name, [value.length], value);

/** `:method`, `:scheme`, `:path` and `:authority` as etcdctl 3.4 sends them: `http://localhost:23999`, in Huffman's code. */
const fromEtcdctl =
  "8386459760a924882d9dcb6571afa066a925a87510ac6e48d36a3f41909d29aee30c50720e89ce84dc132fbeff5f8b1d75d0620d263d4c4d65647a8b";

describe("mendAuthority()", () => {
  test("mends what etcdctl 3.4 sends, and leaves the length of everything alone", () => {
    const bytes = Buffer.from(fromEtcdctl, "hex");
    expect(mendAuthority(bytes)).toBe(true);
    // `http:--localhost:23999`: only the two slashes, twelve bits, have changed.
    expect(bytes.toString("hex")).toBe(fromEtcdctl.replace("9d29aee30c50720e", "9d29aee2cb50720e"));
    expect(mendAuthority(bytes)).toBe(false);
  });

  test.each([
    ["http://host:2379", "http:--host:2379"],
    ["https://host:2379", "https:--host:2379"],
  ])("mends %j that is not coded", (before, after) => {
    const bytes = block(post, plain([0x41], before));
    expect(mendAuthority(bytes)).toBe(true);
    expect(bytes).toEqual(block(post, plain([0x41], after)));
  });

  test.each([
    ["a host and a port", block(post, plain([0x41], "host:2379"))],
    ["an authority from the table", block(post, [0xbe])],
    ["a URL in another field", block(post, plain([0x44], "http://host:2379"))],
    ["a URL in a field whose name is spelt out", block(post, [0x40], plain([1], "x"), plain([], "http://host"))],
    ["a new size of the table", block([0x3f, 0xe1, 0x1f], post)],
    ["nothing", block()],
    ["a value that is cut off", block(post, [0x41, 0x10], "http:")],
    ["a number that does not end", block([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ])("leaves %s alone", (_what, bytes) => {
    const before = Buffer.from(bytes);
    expect(mendAuthority(bytes)).toBe(false);
    expect(Buffer.from(bytes)).toEqual(before);
  });
});
