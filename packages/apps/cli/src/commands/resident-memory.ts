import { readFileSync } from "node:fs";
import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { text } from "node:stream/consumers";
import type { CommandContext } from "../command.ts";

/** The memory that the first server takes, as its metrics say; undefined if they cannot be read or do not say it. */
export async function residentBytes({ flags, addressOf }: CommandContext): Promise<number | undefined> {
  const [endpoint = ""] = flags.endpoints;
  const address = addressOf(endpoint);
  const base = address.includes("://") ? address : `http://${address}`;
  try {
    const metrics = await download(`${base}/metrics`, flags);
    const [, bytes] = /^process_resident_memory_bytes (\S+)$/m.exec(metrics) ?? [];
    return bytes === undefined ? undefined : Number(bytes);
  } catch {
    // Whoever asks says that they could not be read; which server it is about is known.
    return undefined;
  }
}

function download(url: string, flags: CommandContext["flags"]): Promise<string> {
  const file = (path: string) => (path === "" ? undefined : readFileSync(path));
  const tls = {
    ca: file(flags.cacert),
    cert: file(flags.cert),
    key: file(flags.key),
    rejectUnauthorized: !flags.insecureSkipTlsVerify,
  };
  return new Promise((resolve, reject) => {
    const options = { timeout: flags.commandTimeout };
    const request = url.startsWith("https:")
      ? httpsGet(url, { ...options, ...tls }, (response) => void text(response).then(resolve, reject))
      : httpGet(url, options, (response) => void text(response).then(resolve, reject));
    request.on("timeout", () => request.destroy(new Error("the server does not answer")));
    request.on("error", reject);
  });
}
