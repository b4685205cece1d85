/** @module Versions of the API, as members tell each other and agree on them: `3.6.0`. */

/** The oldest cluster that a member can be part of, as in every etcd of line 3. */
export const minClusterVersion = "3.0.0";

interface ParsedVersion {
  readonly major: number;
  readonly minor: number;
}

function parse(version: string): ParsedVersion | undefined {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})(?:\.\d+)?(?:[-+].*)?$/.exec(version) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** The API level of a version, which is without its patch; undefined if it is none, such as `not_decided`. */
export function apiLevel(version: string): string | undefined {
  const parsed = parse(version);
  return parsed === undefined ? undefined : `${parsed.major}.${parsed.minor}.0`;
}

/** The API level before this one, such as `3.5.0` before `3.6.2`; undefined if there is none within the line. */
export function previousApiLevel(version: string): string | undefined {
  const parsed = parse(version);
  return parsed === undefined || parsed.minor === 0 ? undefined : `${parsed.major}.${parsed.minor - 1}.0`;
}

/** Orders two versions by their API level: negative if the left one is older. What is no version is older than any. */
export function compareApiLevels(left: string, right: string): number {
  const [a, b] = [parse(left), parse(right)];
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.major - b.major || a.minor - b.minor;
}

/** The older one of two versions. */
export function olderVersion(left: string, right: string): string {
  return compareApiLevels(left, right) <= 0 ? left : right;
}
