import { CommandError, exitCodes } from "../exit.ts";
import { parseUint64Hex } from "../go/integers.ts";

/**
 * Reads the one operand of a command about a member.
 *
 * @throws CommandError if it is missing, not alone, or no id in hexadecimal
 */
export function parseMemberOperand([text, ...rest]: readonly string[]): bigint {
  if (text === undefined || rest.length > 0)
    throw new CommandError(exitCodes.badArguments, "member ID is not provided");
  try {
    return parseUint64Hex(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `bad member ID arg (${error.message}), expecting ID in Hex`;
    throw new CommandError(exitCodes.badArguments, message, { cause: error });
  }
}

/**
 * Reads the value of `--peer-urls`. What is no URL must not get through: a server may take it, and then no member
 * can reach the one it belongs to.
 *
 * @throws CommandError if there is none, or one that no member can have
 */
export function parsePeerUrls(text: string): string[] {
  if (text === "") throw new CommandError(exitCodes.badArguments, "member peer urls not provided");
  const urls = text.split(",").map((url) => url.trim());
  for (const url of urls) {
    const fault = peerUrlFault(url);
    if (fault !== undefined) throw new CommandError(exitCodes.failure, `${fault}: ${url}`);
  }
  return urls;
}

/** What keeps members from reaching one at a URL, in etcdctl's words; undefined if nothing does. */
function peerUrlFault(url: string): string | undefined {
  const [, scheme = "", host = "", path = ""] = /^([a-z]+):\/\/(?:[^/?#@]*@)?([^/?#]*)([^?#]*)/i.exec(url) ?? [];
  if (/^unixs?$/i.test(scheme)) return undefined;
  if (!/^https?$/i.test(scheme)) return "URL scheme must be http, https, unix, or unixs";
  if (!/^(\[[^\]]*\]|[^:[\]]*):\d*$/.test(host)) return 'URL address does not have the form "host:port"';
  return path === "" ? undefined : "URL must not contain a path";
}
