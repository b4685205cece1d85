"""Drives an etcd-compatible server through the package etcd3, and prints what it saw: the same on every server."""

import argparse
import queue

import etcd3


def kv(client):
    for name in ("a", "b", "c", "b"):
        client.put(f"kv/{name}", f"value of {name}")
    for value, meta in client.get_prefix("kv/", sort_order="descend", sort_target="mod"):
        print(meta.key, value, meta.create_revision, meta.mod_revision, meta.version)
    print("before:", client.put("kv/a", b"\x00\xff", prev_kv=True).prev_kv.value)
    print("no such key:", client.get("kv/none"))
    print("new:", client.put_if_not_exists("kv/d", "d"), "old:", client.put_if_not_exists("kv/d", "d"))
    print("replaced:", client.replace("kv/d", "d", "e"), "not:", client.replace("kv/d", "d", "f"))
    print("deleted:", client.delete("kv/d"), "gone:", client.delete("kv/d"))
    transactions = client.transactions
    for _ in range(2):
        succeeded, answers = client.transaction(
            compare=[transactions.version("txn") == 0],
            success=[transactions.put("txn", "1"), transactions.get("kv/b")],
            failure=[transactions.delete("txn")],
        )
        print("txn:", succeeded, len(answers))
    print("deleted:", client.delete_prefix("kv/").deleted)


def lease(client):
    kept = client.lease(60)
    client.put("lease/a", "1", lease=kept)
    print("renewed for", [answer.TTL for answer in kept.refresh()], "granted", kept.granted_ttl, "keys", kept.keys)
    kept.revoke()
    print("after the revoke:", client.get("lease/a"))
    client.put("lease/b", "1", lease=client.lease(2))
    event = client.watch_once("lease/b", timeout=15)
    print("expired:", type(event).__name__, event.key)


def watch(client):
    begin = client.put("watch/a", "1").header.revision
    client.put("watch/a", "2")
    client.delete("watch/a")
    events, cancel = client.watch_prefix("watch/", start_revision=begin, prev_kv=True)
    for _ in range(3):
        event = next(events)
        print(type(event).__name__, event.key, event.value, "before:", event.prev_value)
    cancel()
    client.compact(begin + 1, physical=True)
    answers = queue.Queue()
    client.add_watch_callback("watch/a", answers.put, start_revision=begin)
    late = answers.get(timeout=15)
    print("compacted:", type(late).__name__, late.compacted_revision - begin)


def lock(client):
    with client.lock("name", ttl=20) as held:
        print("held:", held.is_acquired())
    # To wait for a lock fails in Debian's package itself, which does not fit its tenacity: only a free one is taken.
    print("held after:", client.lock("name", ttl=20).acquire(timeout=5))


def auth(client):
    """Runs as a user who may read and write what begins with auth/."""
    client.put("auth/a", "1")
    print("own:", client.get("auth/a")[0])
    try:
        client.get("other")
    except Exception as error:
        print("other:", type(error).__name__, error.code().name, error.details())


def main():
    parser = argparse.ArgumentParser()
    for name in ("host", "port", "user", "password", "ca_cert", "cert_key", "cert_cert"):
        parser.add_argument(f"--{name}")
    parser.add_argument("scenarios", nargs="+", choices=("kv", "lease", "watch", "lock", "auth"))
    options = vars(parser.parse_args())
    scenarios = options.pop("scenarios")
    with etcd3.client(timeout=20, **options) as client:
        for name in scenarios:
            print("==", name, flush=True)
            globals()[name](client)


main()
