import { type Command, Option } from "commander";
import { CommandError, exitCodes } from "./exit.ts";
import { booleanFlag, durationFlag, int64Flag, parseBool, textFlag } from "./flags.ts";
import { formatDuration } from "./go/duration.ts";

/** The options that every command takes. */
export interface GlobalFlags {
  /** The servers, as the user gave them. */
  readonly endpoints: readonly string[];
  /** The output format. */
  readonly writeOut: string;
  /** Whether byte strings are shown in hexadecimal. */
  readonly hex: boolean;
  /** How long a connection may take to be made, in milliseconds. */
  readonly dialTimeout: number;
  /** How long a short command may take, in milliseconds. */
  readonly commandTimeout: number;
  /** Time between pings on an idle connection, in milliseconds. */
  readonly keepaliveTime: number;
  /** How long the answer to a ping may take, in milliseconds. */
  readonly keepaliveTimeout: number;
  /** File with the certificates of the authorities to trust. */
  readonly cacert: string;
  /** File with the client's certificate. */
  readonly cert: string;
  /** File with the key of the client's certificate. */
  readonly key: string;
  /** False to use TLS even where no certificates are named. */
  readonly insecureTransport: boolean;
  /** Whether the server's certificate is taken unseen. */
  readonly insecureSkipTlsVerify: boolean;
  /** Name, or `name:password`. */
  readonly user: string;
  /** Password, if it is not in `user`. */
  readonly password: string;
  /** A token to show instead of a name and a password. */
  readonly authJwtToken: string;
  /** Domain whose SRV records name the servers. */
  readonly discoverySrv: string;
  /** Suffix of the service's name in those records. */
  readonly discoverySrvName: string;
  /** Whether SRV records may name servers without TLS. */
  readonly insecureDiscovery: boolean;
  /** Whether these settings are shown on standard error. */
  readonly debug: boolean;
  /** Accepted for etcdctl's sake. */
  readonly maxRequestBytes: bigint;
  /** Accepted for etcdctl's sake. */
  readonly maxRecvBytes: bigint;
}

/** The options that all commands take. */
export const globalFlags: readonly Option[] = [
  new Option("--endpoints <list>", "addresses of the servers, separated by commas")
    .argParser(splitList)
    .default(["127.0.0.1:2379"], "127.0.0.1:2379"),
  textFlag("-w, --write-out <format>", "output format: fields, json, protobuf, simple, table", "simple"),
  booleanFlag("--hex", "show byte strings in hexadecimal"),
  durationFlag("dial-timeout", "how long connecting may take", "2s"),
  durationFlag("command-timeout", "how long a short command may take", "5s"),
  durationFlag("keepalive-time", "time between pings on an idle connection", "2s"),
  durationFlag("keepalive-timeout", "how long the answer to a ping may take", "6s"),
  textFlag("--cacert <file>", "trust servers whose certificate these authorities signed"),
  textFlag("--cert <file>", "identify to the server with this certificate"),
  textFlag("--key <file>", "the key of the certificate"),
  booleanFlag("--insecure-transport", "talk without TLS (=false: with TLS even if no certificate is named)", true),
  booleanFlag("--insecure-skip-tls-verify", "take any certificate; for tests only"),
  textFlag("--user <name[:password]>", "who to be"),
  textFlag("--password <password>", "the password of --user"),
  textFlag("--auth-jwt-token <token>", "be whom this token names, instead of --user"),
  textFlag("-d, --discovery-srv <domain>", "find the servers by this domain's SRV records"),
  textFlag("--discovery-srv-name <name>", "suffix of the service's name in the SRV records"),
  booleanFlag("--insecure-discovery", "accept servers without TLS from SRV records", true),
  booleanFlag("--debug", "show these settings on standard error, without what is secret in them"),
  int64Flag("max-request-bytes", "accepted, no effect: requests are as large as the server takes them"),
  int64Flag("max-recv-bytes", "accepted, no effect: answers are as large as the server sends them"),
];

/**
 * The options that all commands take: from the command line, else from the environment (`CONCLAVECTL_ENDPOINTS`
 * before `ETCDCTL_ENDPOINTS`, and so on), else the defaults.
 *
 * @throws {@link CommandError} naming the variable whose value cannot be read, or that says something else than
 * the command line: whose word counts must not be guessed
 */
export function readGlobalFlags(program: Command, env: Readonly<Record<string, string | undefined>>): GlobalFlags {
  for (const option of program.options) {
    const name = option.attributeName();
    if (option.negate) continue;
    const suffix = variableSuffix(option);
    const variable = [`CONCLAVECTL_${suffix}`, `ETCDCTL_${suffix}`].find((candidate) => env[candidate]);
    if (variable === undefined) continue;
    if (program.getOptionValueSource(name) === "cli") throw conflict(variable);
    program.setOptionValueWithSource(name, readVariable(option, variable, env[variable] ?? ""), "env");
  }
  return program.opts<GlobalFlags & Record<string, unknown>>();
}

/** The settings, one variable of the environment on each line. Passwords and tokens are not shown. */
export function describeGlobalFlags(flags: GlobalFlags): string {
  const shown: Record<string, unknown> = {
    ...flags,
    endpoints: `[${flags.endpoints.join(" ")}]`,
    user: flags.user.split(":", 1)[0],
    password: secret(flags.password),
    authJwtToken: secret(flags.authJwtToken),
  };
  const lines = globalFlags.map((option) => {
    const value = shown[option.attributeName()];
    return `ETCDCTL_${variableSuffix(option)}=${typeof value === "number" ? formatDuration(value) : value}\n`;
  });
  return lines.sort().join("");
}

function secret(text: string): string {
  return text === "" ? "" : "<hidden>";
}

function variableSuffix(option: Option): string {
  return option.name().toUpperCase().replaceAll("-", "_");
}

function conflict(variable: string): CommandError {
  const remedy = "either unset environment variable or disable flag";
  const message = `conflicting environment variable "${variable}" is shadowed by corresponding command-line flag`;
  return new CommandError(exitCodes.failure, `${message} (${remedy})`);
}

function readVariable(option: Option, variable: string, text: string): unknown {
  try {
    if (option.isBoolean()) return parseBool(text);
    return option.parseArg === undefined ? text : option.parseArg(text, undefined);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exitCodes.failure, `environment variable ${variable}: ${reason}`, { cause: error });
  }
}

function splitList(text: string): string[] {
  return text.split(",").filter((item) => item !== "");
}
