/** @module Which services are meant: by name, or by pattern; and the one range of keys that holds them all. */
import { ConclaveError } from "@conclave/client";

/**
 * Services: a name such as `orders`, a pattern such as `orders-*` where `*` stands for any characters, several of these,
 * or all services where it is left out.
 */
export type ServiceSelector = string | readonly string[];

/** Services that were selected. */
export interface Selection {
  /** What the keys of all of them start with, behind the registry's prefix. */
  readonly keys: string;
  /** Whether a service is among them. */
  readonly matches: (service: string) => boolean;
}

const wholePattern = /^[^/\s]+$/;

/**
 * Reads a selector.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function select(selector: ServiceSelector | undefined): Selection {
  if (selector === undefined) return { keys: "", matches: () => true };
  const patterns = [selector].flat();
  if (patterns.length === 0) throw new ConclaveError("INVALID_ARGUMENT", "Invalid services: name at least one");
  for (const pattern of patterns)
    if (typeof pattern !== "string" || !wholePattern.test(pattern))
      throw new ConclaveError(
        "INVALID_ARGUMENT",
        `Invalid service name: must be one or more characters other than / and white space (received ${JSON.stringify(pattern)})`,
      );
  const expressions = patterns.map(toExpression);
  return {
    keys: patterns.map(keysOf).reduce(commonStart),
    matches: (service) => expressions.some((expression) => expression.test(service)),
  };
}

/** What the keys of a pattern start with: of a name also the separator, so that no longer name is meant. */
function keysOf(pattern: string): string {
  const [head = "", ...rest] = pattern.split("*");
  return rest.length === 0 ? `${head}/` : head;
}

function toExpression(pattern: string): RegExp {
  const literals = pattern.split("*").map((literal) => literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literals.join(".*")}$`, "s");
}

function commonStart(left: string, right: string): string {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return left.slice(0, length);
}
