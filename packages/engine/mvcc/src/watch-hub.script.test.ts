import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type LabStream, type StoreVerbs, watchLab } from "./testing/watch-lab.ts";

/** Runs the commands of one script; gives what every stream was sent since the last one. */
function interpreter(): (command: string) => Promise<string> {
  const lab = watchLab({ fragmentBytes: 100 });
  const streams = new Map<string, LabStream>();
  const stream = (name: string): LabStream => {
    const opened = streams.get(name) ?? lab.open();
    streams.set(name, opened);
    return opened;
  };
  const change = ({ put, putAll, delete: remove, compact }: StoreVerbs): Record<string, (words: string[]) => void> => ({
    put: ([key = "", value]) => put(key, value),
    "put-all": (keys) => putAll(keys),
    delete: ([key = "", end]) => remove(key, end),
    compact: ([revision]) => compact(Number(revision)),
  });
  const commands: Record<string, (words: string[], options: Record<string, string>) => unknown> = {
    ...change(lab),
    // The history becomes that of a member to which this was done, without this one's seeing it.
    jump: (words) =>
      lab.jump((member) => {
        for (const [name = "", ...rest] of words
          .join(" ")
          .split(" | ")
          .map((one) => one.split(" ")))
          change(member)[name]?.(rest);
      }),
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
  return async (command) => {
    const [name = "", ...rest] = command.split(" ");
    const words = rest.filter((word) => !word.includes("="));
    await commands[name]?.(
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
  const rendered: string[] = [];
  for (const block of readFileSync(path, "utf8").trimEnd().split(/\n\n+/)) {
    const head = block.split("\n----")[0] ?? "";
    const lines: string[] = [];
    for (const command of head.split("\n").filter((line) => !line.startsWith("#"))) lines.push(await run(command));
    rendered.push(`${head}\n----\n${lines.filter(Boolean).join("\n")}`.trimEnd());
  }
  await expect(`${rendered.join("\n\n")}\n`).toMatchFileSnapshot(path);
});
