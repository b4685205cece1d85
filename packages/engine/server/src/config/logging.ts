/** @module Options of the log of the command `conclave`, and of what is worth a warning. */
import { z } from "zod";
import { duration, option, type Section, toggle } from "./field.ts";
import { list, oneOf } from "./scalars.ts";

/** Options of the log. */
export interface LoggingOptions {
  /** Taken for etcd's sake: there is one way to write logs. Default `zap`. */
  readonly logger: "zap";
  /**
   * Outputs of the log: `stderr`, `stdout`, `systemd/journal`, names of files; `default` stands for `stderr`.
   * Default `default`.
   */
  readonly logOutputs: readonly string[];
  /** Least level of the lines in the log. Default `info`. */
  readonly logLevel: "debug" | "info" | "warn" | "error" | "panic" | "fatal";
  /** How lines are written: as JSON, or for people to read. Default `json`. */
  readonly logFormat: "json" | "console";
  /** Replace the file of the log when it is large. Default false. */
  readonly enableLogRotation: boolean;
  /** When that is, as JSON, in the fields of lumberjack: `maxsize` and so on. Default: at 100 MB, all files are kept. */
  readonly logRotationConfigJson: string;
  /** Time from which a call is worth a warning. Default 300. */
  readonly warningUnaryRequestDuration: number;
}

/** When the file of a log is replaced, and what becomes of the old ones. */
export interface LogRotation {
  /** Size in megabytes at which a file is replaced. Default 100. */
  readonly maxsize: number;
  /** Days after which an old file is removed; 0: never. Default 0. */
  readonly maxage: number;
  /** Most old files that are kept; 0: all. Default 0. */
  readonly maxbackups: number;
  /** Name old files by the local time instead of UTC. Default false. */
  readonly localtime: boolean;
  /** Compress old files. Default false. */
  readonly compress: boolean;
}

const rotationSchema: z.ZodType<LogRotation> = z.strictObject({
  maxsize: z.int().min(0).default(100),
  maxage: z.int().min(0).default(0),
  maxbackups: z.int().min(0).default(0),
  localtime: z.boolean().default(false),
  compress: z.boolean().default(false),
});

/** Reads how the file of a log is replaced; undefined if the text says nothing of the kind. */
export function parseLogRotation(json: string): LogRotation | undefined {
  try {
    return rotationSchema.parse(JSON.parse(json));
  } catch {
    // Whatever is wrong with it, the text is none; who asks names it with its option.
    return undefined;
  }
}

/** Outputs that are no file. */
export const logStreams: ReadonlySet<string> = new Set(["default", "stderr", "stdout", "systemd/journal"]);

/** The section of the log. */
export const loggingSection: Section<LoggingOptions> = {
  title: "Logging",
  fields: {
    logger: option(oneOf(["zap"]), {
      fallback: "zap",
      help: "Without effect: 'zap' is the only value.",
      unused: "there is one way to write logs",
    }),
    logOutputs: option(
      list.refine((all) => all.length > 0, "must name at least one output"),
      {
        fallback: ["default"],
        help: "Comma-separated outputs of the log: default, stderr, stdout, systemd/journal or names of files.",
      },
    ),
    logLevel: option(oneOf(["debug", "info", "warn", "error", "panic", "fatal"]), {
      fallback: "info",
      help: "Least level of log lines: debug, info, warn, error, panic or fatal.",
    }),
    logFormat: option(oneOf(["json", "console"]), {
      fallback: "json",
      help: "How log lines are written: 'json', or 'console' for people to read.",
    }),
    enableLogRotation: toggle({ fallback: false, help: "Replace the file of the log when it is large." }),
    logRotationConfigJson: option(
      z
        .string()
        .refine((json) => parseLogRotation(json) !== undefined, 'must be JSON such as {"maxsize": 100, "maxage": 0}'),
      {
        fallback: '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
        help: "When that is: maxsize in MB, maxage in days, maxbackups in files (0: no limit), localtime, compress.",
      },
    ),
    warningUnaryRequestDuration: duration({
      fallback: 300,
      fallbackText: "300ms",
      help: "Time from which a call is worth a warning.",
      experimental: true,
    }),
  },
  check({ logOutputs, enableLogRotation }, refuse) {
    if (logOutputs.length > 1 && logOutputs.includes("default"))
      refuse("logOutputs", "must not name 'default' beside other outputs");
    const files = logOutputs.filter((output) => !logStreams.has(output));
    if (enableLogRotation && files.length !== 1) refuse("logOutputs", "must name one file for --enable-log-rotation");
  },
};
