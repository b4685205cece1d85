import { utf8Text } from "@conclave/base";
import { expect, it } from "vitest";
import { storeTree } from "./store-tree.ts";

const first = { id: 0xe255a223fb1b8a6cn, peerUrls: ["http://a:2380"], name: "a", clientUrls: ["http://a:2379"] };

function tree(...parameters: Parameters<typeof storeTree>): unknown {
  return JSON.parse(utf8Text(storeTree(...parameters)));
}

it("holds what etcd needs to accept it, for a member that has said nothing of itself", () => {
  const raftAttributes = { Path: "/0/members/c/raftAttributes", Value: '{"peerURLs":["http://b:2380"]}' };
  const member = { Path: "/0/members/c", Children: { raftAttributes } };
  const members = { Path: "/0/members", Children: { c: member } };
  expect(tree([{ id: 12n, peerUrls: ["http://b:2380"], name: "", clientUrls: [], isLearner: false }], [])).toEqual({
    Root: { Path: "/", Children: { 0: { Path: "/0", Children: { members } }, 1: { Path: "/1", Children: {} } } },
  });
});

it("holds names, client URLs and who is a learner", () => {
  const path = "/0/members/e255a223fb1b8a6c";
  expect(tree([{ ...first, isLearner: true }], [])).toMatchObject({
    Root: {
      Children: {
        0: {
          Children: {
            members: {
              Children: {
                e255a223fb1b8a6c: {
                  Path: path,
                  Children: {
                    attributes: { Path: `${path}/attributes`, Value: '{"name":"a","clientURLs":["http://a:2379"]}' },
                    raftAttributes: { Value: '{"peerURLs":["http://a:2380"],"isLearner":true}' },
                  },
                },
              },
            },
          },
        },
      },
    },
  });
});

it("holds the members that were removed and the version of the cluster", () => {
  expect(tree([], [1n, 0xabcn], "3.5.0")).toMatchObject({
    Root: {
      Children: {
        0: {
          Children: {
            members: { Children: {} },
            removed_members: {
              Children: {
                1: { Path: "/0/removed_members/1", Value: "" },
                abc: { Path: "/0/removed_members/abc", Value: "" },
              },
            },
            version: { Path: "/0/version", Value: "3.5.0" },
          },
        },
      },
    },
  });
});
