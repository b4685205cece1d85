#!/bin/sh
# Unpacks etcd 3.5 of Debian sid beside the system, without installing it, as a second oracle for the conformance
# tests. Prints the path of the binary; does nothing if it is there already.
#
#   tools/fetch-etcd-3.5.sh [directory]      default: node_modules/.cache/etcd-3.5
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${1:-$root/node_modules/.cache/etcd-3.5}
if [ -x "$target/usr/bin/etcd" ]; then
  echo "$target/usr/bin/etcd"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/unpacked"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] http://deb.debian.org/debian sid main" >"$work/sources.list"

# A sources list, lists and cache of its own: the system's apt state is neither used nor changed.
apt() {
  apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/parts" \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@" >&2
}
apt update
(cd "$work" && for package in etcd-server etcd-client; do apt download "$package"; done)
for archive in "$work"/*.deb; do dpkg -x "$archive" "$work/unpacked"; done

"$work/unpacked/usr/bin/etcd" --version | grep -q '^etcd Version: 3\.5\.' || {
  echo "Debian sid no longer packages etcd 3.5" >&2
  exit 1
}
mkdir -p "$(dirname -- "$target")"
rm -rf "$target"
mv "$work/unpacked" "$target"
echo "$target/usr/bin/etcd"
