import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type LabStream, watchLab } from "./testing/watch-lab.ts";

/** Runs the commands of one script; gives what every stream was sent since the last one. */
function interpreter(): (command: string) => string {
  const lab = watchLab({ fragmentBytes: 100 });
  const streams = new Map<string, LabStream>();
  const stream = (name: string): LabStream => {
    const opened = streams.get(name) ?? lab.open();
    streams.set(name, opened);
    return opened;
  };
  const commands: Record<string, (words: string[], options: Record<string, string>) => void> = {
    put: ([key = "", value]) => lab.put(key, value),
    "put-all": (keys) => lab.putAll(keys),
    delete: ([key = "", end]) => lab.delete(key, end),
    compact: ([revision]) => lab.compact(Number(revision)),
    step: () => void lab.hub.syncStep(),
    watch: ([name = "", key = "", ...flags], { end, start, id }) =>
      stream(name).create({
        key: key === '""' ? "" : key,
        ...(end === undefined ? {} : { end: end === "\\0" ? "\0" : end }),
        ...(start === undefined ? {} : { start: BigInt(start) }),
        ...(id === undefined ? {} : { id: BigInt(id) }),
        prefix: flags.includes("prefix"),
        prev: flags.includes("prev"),
        progress: flags.includes("progress"),
        fragment: flags.includes("fragment"),
        filters: [
          ...(flags.includes("noput") ? [0 as const] : []),
          ...(flags.includes("nodelete") ? [1 as const] : []),
        ],
      }),
    cancel: ([name = "", id]) => stream(name).stream.cancel(BigInt(id ?? 0)),
    progress: ([name = ""]) => stream(name).stream.requestProgress(),
    notify: ([name = ""]) => stream(name).stream.notifyProgress(),
    full: ([name = ""]) => {
      stream(name).room = 1;
    },
    resume: ([name = ""]) => stream(name).resume(),
    close: ([name = ""]) => stream(name).stream.close(),
  };
  return (command) => {
    const [name = "", ...rest] = command.split(" ");
    const words = rest.filter((word) => !word.includes("="));
    commands[name]?.(
      words,
      Object.fromEntries(rest.filter((word) => word.includes("=")).map((word) => word.split("="))),
    );
    return [...streams]
      .flatMap(([sink, { take }]) => take.call(streams.get(sink)).map((line) => `${sink} ${line}`))
      .join("\n");
  };
}

const directory = new URL("./testdata/watch/", import.meta.url);

test.each(readdirSync(directory))("%s", async (name) => {
  const path = new URL(name, directory).pathname;
  const run = interpreter();
  const rendered = readFileSync(path, "utf8")
    .trimEnd()
    .split(/\n\n+/)
    .map((block) => {
      const head = block.split("\n----")[0] ?? "";
      const commands = head.split("\n").filter((line) => !line.startsWith("#"));
      return `${head}\n----\n${commands.map(run).filter(Boolean).join("\n")}`.trimEnd();
    });
  await expect(`${rendered.join("\n\n")}\n`).toMatchFileSnapshot(path);
});
