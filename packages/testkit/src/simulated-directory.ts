import type { Random } from "@conclave/base";
import type { SimulatedFile, Tear } from "./simulated-file.ts";

/** What a name stands for. */
export type Node = Directory | SimulatedFile;

/** A directory of the simulated disk. */
export interface Directory {
  /** What programs see. */
  readonly entries: Map<string, Node>;
  /** What a power failure would leave. */
  readonly durable: Map<string, Node>;
}

/** A name that is set or removed. A rename makes two such changes at once. */
export interface NameChange {
  readonly directory: Directory;
  readonly name: string;
  /** What the name stands for from now on; undefined: nothing. */
  readonly target: Node | undefined;
}

/** A directory without names. */
export function emptyDirectory(): Directory {
  return { entries: new Map(), durable: new Map() };
}

/** Whether a name stands for a directory. */
export function isDirectory(node: Node): node is Directory {
  return "entries" in node;
}

/** Lets programs see changes. */
export function applyChanges(changes: readonly NameChange[]): void {
  for (const { directory, name, target } of changes) setName(directory.entries, name, target);
}

/** Lets changes outlast a power failure. */
export function makeDurable(changes: readonly NameChange[]): void {
  for (const { directory, name, target } of changes) setName(directory.durable, name, target);
}

/** A directory with all it holds, as the power failure leaves it. */
export function directoryAfterCrash(directory: Directory, tear: Tear, random: Random): Directory {
  const after = emptyDirectory();
  for (const [name, node] of directory.durable) {
    const survivor = isDirectory(node) ? directoryAfterCrash(node, tear, random) : node.afterCrash(tear, random);
    after.entries.set(name, survivor);
    after.durable.set(name, survivor);
  }
  return after;
}

function setName(names: Map<string, Node>, name: string, target: Node | undefined): void {
  if (target === undefined) names.delete(name);
  else names.set(name, target);
}
