/**
 * @module A log file that is replaced when it is large. An old one has the time in its name:
 * `conclave-2026-11-21T06-07-08.123.log` of `conclave.log`.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { LogRotation } from "../config/logging.ts";

const megabyte = 1024 * 1024;
const dayMs = 24 * 3_600_000;
const defaultMaxSize = 100;

/** A file that lines are appended to. */
export interface RotatingFile {
  /** Appends a line, at once. */
  write(line: string): void;
  /** Closes the file. */
  close(): void;
}

/** What a rotating file needs of the world. Default: the real one. */
export interface RotatingFileOptions {
  /** Tells the time since 1970 in milliseconds. */
  readonly now?: () => number;
  /** Size in bytes at which the file is replaced, if it is not to be the one of the rotation. */
  readonly maxBytes?: number;
}

/**
 * Opens a log file, or goes on with it.
 *
 * @throws what the operating system says if it cannot be opened
 */
export function openRotatingFile(path: string, rotation: LogRotation, options: RotatingFileOptions = {}): RotatingFile {
  const { now = Date.now, maxBytes = (rotation.maxsize || defaultMaxSize) * megabyte } = options;
  let descriptor = openSync(path, "a", 0o600);
  let size = fstatSync(descriptor).size;

  const rotate = (): void => {
    const old = freeName(path, new Date(now()), rotation.localtime);
    closeSync(descriptor);
    renameSync(path, old);
    descriptor = openSync(path, "a", 0o600);
    size = 0;
    removeOld(path, rotation, now());
    if (rotation.compress) void compress(old);
  };

  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (size > 0 && size + bytes.length > maxBytes) rotate();
      writeSync(descriptor, bytes);
      size += bytes.length;
    },
    close: () => closeSync(descriptor),
  };
}

/** Several files may be replaced within a millisecond; each gets a time of its own. */
function freeName(path: string, at: Date, localtime: boolean): string {
  const extension = extname(path);
  const taken = new Set(readdirSync(dirname(path)));
  for (let ms = at.getTime(); ; ms++) {
    const name = `${basename(path, extension)}-${stamp(ms, localtime)}${extension}`;
    if (!taken.has(name) && !taken.has(`${name}.gz`)) return join(dirname(path), name);
  }
}

function stamp(ms: number, localtime: boolean): string {
  const shiftMs = localtime ? new Date(ms).getTimezoneOffset() * 60_000 : 0;
  return new Date(ms - shiftMs).toISOString().slice(0, -1).replaceAll(":", "-");
}

/** The time in the name of an old file, or undefined if it is none. */
function stampOf(name: string, path: string): string | undefined {
  const extension = extname(path);
  const start = `${basename(path, extension)}-`;
  const ends = [`${extension}.gz`, extension].filter((end) => name.endsWith(end));
  const middle =
    name.startsWith(start) && ends[0] !== undefined ? name.slice(start.length, -ends[0].length || undefined) : "";
  return /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(middle) ? middle : undefined;
}

function removeOld(path: string, { maxage, maxbackups, localtime }: LogRotation, nowMs: number): void {
  const directory = dirname(path);
  const old = readdirSync(directory).flatMap((name) => {
    const at = stampOf(name, path);
    return at === undefined ? [] : [{ name, at }];
  });
  old.sort((left, right) => (left.at < right.at ? 1 : -1));
  const oldest = stamp(nowMs - maxage * dayMs, localtime);
  for (const [index, { name, at }] of old.entries()) {
    const isTooMany = maxbackups > 0 && index >= maxbackups;
    if (isTooMany || (maxage > 0 && at < oldest)) rmSync(join(directory, name), { force: true });
  }
}

/** The file stays as it is if it cannot be compressed: the next rotation counts it all the same. */
async function compress(path: string): Promise<void> {
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`, { mode: 0o600 }));
    rmSync(path, { force: true });
  } catch {
    rmSync(`${path}.gz`, { force: true });
  }
}
