import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CompressionError, HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import type { Field } from "./static-table.ts";

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

function decodeAll(decoder: HpackDecoder, block: Uint8Array): Field[] {
  const fields: Field[] = [];
  decoder.decode(block, (field) => fields.push(field));
  return fields;
}

function textOf(decoder: HpackDecoder, hex: string): string {
  return decodeAll(decoder, bytesOf(hex))
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

const requests = [
  ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com",
  ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache",
  ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value",
];
const date = "date: Mon, 21 Oct 2013 20:13";
const location = "location: https://www.example.com";
const cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const responses = [
  `:status: 302\ncache-control: private\n${date}:21 GMT\n${location}`,
  `:status: 307\ncache-control: private\n${date}:21 GMT\n${location}`,
  `:status: 200\ncache-control: private\n${date}:22 GMT\n${location}\ncontent-encoding: gzip\n${cookie}`,
];

interface Example {
  readonly section: string;
  readonly tableBytes?: number;
  readonly blocks: readonly string[];
  readonly texts: readonly string[];
}

const examples: readonly Example[] = [
  {
    section: "C.2.1 a literal that is added",
    blocks: ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "be"],
    texts: ["custom-key: custom-header", "custom-key: custom-header"],
  },
  { section: "C.2.2 a literal", blocks: ["040c 2f73 616d 706c 652f 7061 7468"], texts: [":path: /sample/path"] },
  {
    section: "C.2.3 a literal that is never added",
    blocks: ["1008 7061 7373 776f 7264 0673 6563 7265 74"],
    texts: ["password: secret"],
  },
  { section: "C.2.4 an index", blocks: ["82"], texts: [":method: GET"] },
  {
    section: "C.3 requests",
    blocks: [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    texts: requests,
  },
  {
    section: "C.4 requests in Huffman's code",
    blocks: [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    texts: requests,
  },
  {
    section: "C.5 responses, with evictions",
    tableBytes: 256,
    blocks: [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ],
    texts: responses,
  },
  {
    section: "C.6 responses in Huffman's code, with evictions",
    tableBytes: 256,
    blocks: [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ],
    texts: responses,
  },
];

describe("RFC 7541 appendix C", () => {
  test.each(examples)("$section", ({ tableBytes = 4096, blocks, texts }) => {
    const decoder = new HpackDecoder(tableBytes);
    expect(blocks.map((block) => textOf(decoder, block))).toEqual(texts);
  });

  test("C.1 integers: 10 and 1337 behind a prefix of five bits, as sizes of the table", () => {
    for (const size of ["2a", "3f9a0a"]) expect(textOf(new HpackDecoder(1337), `${size} 82`)).toBe(":method: GET");
    expect(() => textOf(new HpackDecoder(1336), "3f9a0a")).toThrow("A table of 1337 bytes was not allowed");
  });
});

describe("a block that makes no sense", () => {
  test.each([
    ["§6.1 the index 0", "80", "There is no field 0"],
    ["§2.3.3 an index that is not there", "be", "There is no field 62"],
    ["§6.2.1 a name that is not there", "7f00 0161", "There is no field 63"],
    ["§6.3 a size of the table behind a field", "82 20", "A table is resized behind a field"],
    ["§6.3 a table larger than was allowed", "3fe2 1f", "A table of 4097 bytes was not allowed"],
    ["§5.1 an integer without end", "ff ffff ffff ffff ff", "An integer is too large"],
    ["§5.2 a string longer than its block", "0085 6162", "A string is longer than its block"],
    ["§5.2 padding of more than seven bits", "0082 1fff 0161", "A string is not of Huffman's code"],
    ["§5.2 padding that is not of ones", "0081 1800 0161", "A string is not of Huffman's code"],
    ["§5.2 the end of a string within it", "0084 ffff ffff 0161", "A string is not of Huffman's code"],
    ["an end within a field", "40", "A block ends within a field"],
    ["an end within an integer", "ff", "A block ends within a field"],
  ])("is refused: %s", (_name, hex, message) => {
    expect(() => textOf(new HpackDecoder(4096), hex)).toThrow(new CompressionError(message));
  });

  test("§4.4: a field larger than the table empties it, and is no error", () => {
    const decoder = new HpackDecoder(64);
    expect(textOf(decoder, "4001 6101 62 be")).toBe("a: b\na: b");
    const large = Buffer.concat([bytesOf("4001 61 20"), Buffer.alloc(32, "x")]);
    expect(decodeAll(decoder, large)).toEqual([["a", "x".repeat(32)]]);
    expect(() => textOf(decoder, "be")).toThrow("There is no field 62");
  });
});

/** Reads what encoders write in a table of the usual size. */
const token = fc.stringMatching(/^[a-z-]{1,12}$/);
const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const name = fc.oneof(token, fc.constantFrom("content-type", "grpc-status", ":status", "grpc-message"));
const value = fc.oneof(text, fc.constantFrom("0", "200", "application/grpc", "5"));
const fields = fc.dictionary(name, value, { maxKeys: 5 });

describe("HpackEncoder", () => {
  test("writes what a decoder reads, however often, and whatever the other side allows", () => {
    const blocks = fc.array(
      fc.record({ fields, again: fc.nat(3), tableBytes: fc.option(fc.nat(9_000), { freq: 20 }) }),
    );
    fc.assert(
      fc.property(blocks, (sent) => {
        const [encoder, decoder] = [new HpackEncoder(), new HpackDecoder(4096)];
        for (const { fields: outgoing, again, tableBytes } of sent) {
          if (tableBytes !== null) encoder.limitTable(tableBytes);
          for (let times = 0; times <= again; times++) {
            const read = decodeAll(decoder, encoder.encode(outgoing));
            expect(Object.fromEntries(read)).toEqual({ ...outgoing });
          }
        }
      }),
    );
  });

  test("writes what is sent again and again in a few bytes", () => {
    const encoder = new HpackEncoder();
    const head = { ":status": 200, "content-type": "application/grpc" };
    const trailers = { "grpc-status": "0" };
    const lengths = [0, 1, 2].map(() => [encoder.encode(head).length, encoder.encode(trailers).length]);
    expect(lengths[2]).toEqual([2, 1]);
  });
});
