"""Drives an etcd-compatible server through the package etcd3gw, which speaks JSON, and prints what it saw."""

import argparse
import json

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception


def kv(client):
    for name in ("a", "b", "c", "b"):
        client.put(f"kv/{name}", f"value of {name}")
    for value, meta in client.get_prefix("kv/", sort_order="descend", sort_target="mod"):
        print(meta["key"], value, meta["create_revision"], meta["mod_revision"], meta["version"])
    print("no such key:", client.get("kv/none"))
    print("created:", client.create("kv/d", "d"), "not:", client.create("kv/d", "d"))
    print("replaced:", client.replace("kv/d", "d", "e"), "not:", client.replace("kv/d", "d", "f"))
    print("deleted:", client.delete("kv/d"), "gone:", client.delete("kv/d"))
    print("deleted:", client.delete_prefix("kv/"), "left:", client.get_prefix("kv/"))
    try:
        client.put("", "no key")
    except Etcd3Exception as error:
        print("refused:", type(error).__name__, json.loads(error.detail_text)["message"])


def lease(client):
    kept = client.lease(60)
    client.put("lease/a", "1", lease=kept)
    print("renewed for", kept.refresh(), "keys", kept.keys(), "some left:", kept.ttl() > 50)
    print("revoked:", kept.revoke(), client.get("lease/a"), kept.ttl())
    client.put("lease/b", "1", lease=client.lease(2))
    print("expired:", client.watch_once("lease/b", timeout=15)["type"])


def watch(client):
    begin = len(client.get_all())
    events, cancel = client.watch_prefix("watch/", prev_kv=True)
    for value in ("1", "2"):
        client.put("watch/a", value)
    client.delete("watch/a")
    for _ in range(3):
        event = next(events)
        print(event.get("type", "PUT"), event["kv"]["key"], event["kv"].get("value"), "before:", "prev_kv" in event)
    cancel()
    print("as many keys as before:", len(client.get_all()) == begin)


def lock(client):
    held = client.lock("name", ttl=20)
    print("acquired:", held.acquire(), "held:", held.is_acquired())
    print("acquired twice:", client.lock("name", ttl=20).acquire())
    print("released:", held.release(), "held:", held.is_acquired())


def members(client):
    print("members:", [member["clientURLs"] != [] for member in client.members()])
    print("leader known:", client.status()["leader"] != "0")


def main():
    parser = argparse.ArgumentParser()
    for name in ("host", "port", "protocol", "ca_cert", "cert_key", "cert_cert"):
        parser.add_argument(f"--{name}")
    parser.add_argument("scenarios", nargs="+", choices=("kv", "lease", "watch", "lock", "members"))
    options = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    scenarios = options.pop("scenarios")
    client = Etcd3Client(timeout=20, api_path="/v3/", **options)
    for name in scenarios:
        print("==", name, flush=True)
        globals()[name](client)


main()
