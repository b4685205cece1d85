// Regenerates src/gen from proto/. Run by hand after a change of the IDL; the result is committed.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";

const proto2Files = [
  "proto/raftpb/raft.proto",
  "proto/walpb/record.proto",
  "proto/snappb/snap.proto",
  "proto/etcdserverpb/etcdserver.proto",
];
const buf = (...args) => execFileSync("../../../node_modules/.bin/buf", ["generate", ...args], { stdio: "inherit" });

process.chdir(import.meta.dirname);
rmSync("src/gen", { recursive: true, force: true });
buf(...proto2Files.flatMap((path) => ["--exclude-path", path]));
buf("--template", "buf.gen.proto2.yaml", ...proto2Files.flatMap((path) => ["--path", path]));
