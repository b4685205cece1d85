import { utf8Text } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { describe, expect, test } from "vitest";
import {
  type ClusterMember,
  createMembership,
  formatMember,
  formatPromotion,
  isPromotion,
  parseMember,
} from "./membership.ts";

const member: ClusterMember = {
  id: 0xe255_a223_fb1b_8a6cn,
  name: "one",
  peerUrls: ["http://127.0.0.1:2380"],
  clientUrls: ["http://127.0.0.1:2379"],
  isLearner: false,
};

describe("formatMember() and parseMember()", () => {
  test("write the id as a decimal number that JSON numbers could not hold", () => {
    expect(formatMember(member)).toBe(
      '{"id":16309119901012560492,"peerURLs":["http://127.0.0.1:2380"],"name":"one","clientURLs":["http://127.0.0.1:2379"]}',
    );
  });

  test("leave out what is empty, as etcd does", () => {
    const unstarted = { ...member, name: "", clientUrls: [], isLearner: true };
    expect(formatMember(unstarted)).toBe(
      '{"id":16309119901012560492,"peerURLs":["http://127.0.0.1:2380"],"isLearner":true}',
    );
  });

  test.each([member, { ...member, name: 'quo"te {"id":1', isLearner: true }])(
    "read back what was written",
    (original) => {
      expect(parseMember(formatMember(original))).toEqual(original);
    },
  );

  test("read the null that etcd writes for an empty list", () => {
    expect(parseMember('{"id":7,"peerURLs":null}')).toEqual({
      id: 7n,
      name: "",
      peerUrls: [],
      clientUrls: [],
      isLearner: false,
    });
  });

  test("escape what Go escapes, so that every founder writes the same bytes", () => {
    expect(formatMember({ ...member, name: "a<b>&c" })).toContain('"name":"a\\u003cb\\u003e\\u0026c"');
  });

  test("refuse what is no member", () => {
    expect(() => parseMember('{"name":"x"}')).toThrow(SyntaxError);
  });
});

test("formatPromotion() writes what etcd writes", () => {
  expect(formatPromotion(0xe255_a223_fb1b_8a6cn)).toBe('{"id":16309119901012560492,"peerURLs":null,"isPromote":true}');
  expect(isPromotion(formatPromotion(7n))).toBe(true);
  expect(isPromotion(formatMember({ ...member, isLearner: true }))).toBe(false);
});

describe("createMembership()", () => {
  test("finds again what was added, removed and published", () => {
    const backend = createMemoryBackend();
    const membership = createMembership(backend);
    membership.add({ ...member, name: "", clientUrls: [] });
    membership.add({ ...member, id: 5n });
    membership.setAttributes(member.id, { name: "one", clientUrls: member.clientUrls });
    membership.remove(5n);
    membership.setClusterVersion("3.6.0");

    const reopened = createMembership(backend);
    expect(reopened.members()).toEqual([member]);
    expect(reopened.wasRemoved(5n)).toBe(true);
    expect(reopened.clusterVersion).toBe("3.6.0");
  });

  test("uses etcd's keys: ids in hex, and a mark for the removed", () => {
    const backend = createMemoryBackend();
    const membership = createMembership(backend);
    membership.add(member);
    membership.remove(member.id);
    expect([...backend.scan("members")]).toEqual([]);
    expect([...backend.scan("members_removed")].map(([key, value]) => [utf8Text(key), utf8Text(value)])).toEqual([
      ["e255a223fb1b8a6c", "removed"],
    ]);
  });

  test("reads everything again from a store whose content was replaced", () => {
    const backend = createMemoryBackend();
    const membership = createMembership(backend);
    membership.add(member);
    const other = createMembership(backend);
    other.add({ ...member, id: 5n });
    other.remove(member.id);
    other.setClusterVersion("3.5.0");
    membership.reload();
    expect(membership.members().map(({ id }) => id)).toEqual([5n]);
    expect(membership.wasRemoved(member.id)).toBe(true);
    expect(membership.clusterVersion).toBe("3.5.0");
  });

  test("does not take a removed member back", () => {
    const membership = createMembership(createMemoryBackend());
    membership.add(member);
    membership.remove(member.id);
    expect(() => membership.add(member)).toThrow("a removed member never returns");
  });

  test("keep a downgrade as etcd does, until it ends", () => {
    const backend = createMemoryBackend();
    const membership = createMembership(backend);
    membership.setDowngradeTarget("3.5.0");
    const [[, stored] = []] = backend.scan("cluster");
    expect(utf8Text(stored ?? new Uint8Array())).toBe('{"target-version":"3.5.0","enabled":true}');
    expect(createMembership(backend).downgradeTarget).toBe("3.5.0");
    membership.setDowngradeTarget(undefined);
    expect(createMembership(backend).downgradeTarget).toBeUndefined();
  });
});
