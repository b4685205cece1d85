/** @module The second cluster of a command that copies keys from one cluster to another. */
import type { Option } from "commander";
import type { CommandContext } from "../command.ts";
import { type Connection, openConnection } from "../connection.ts";
import { booleanFlag, textFlag } from "../flags.ts";

/** The options that tell how to reach a destination. */
export interface DestinationOptions {
  /** Certificates of the authorities that the destination is trusted by. */
  readonly destCacert: string;
  /** Certificate to show to the destination. */
  readonly destCert: string;
  /** Its key. */
  readonly destKey: string;
  /** Talk to the destination without TLS. */
  readonly destInsecureTransport: boolean;
  /** Who to be at the destination, with or without password. */
  readonly destUser: string;
  /** The password of that user. */
  readonly destPassword: string;
}

/** The flags behind {@link DestinationOptions}. */
export const destinationFlags: readonly Option[] = [
  textFlag("--dest-cacert <file>", "trust a destination whose certificate these authorities signed"),
  textFlag("--dest-cert <file>", "identify to the destination with this certificate"),
  textFlag("--dest-key <file>", "the key of that certificate"),
  booleanFlag("--dest-insecure-transport", "talk to the destination without TLS", true),
  textFlag("--dest-user <name[:password]>", "who to be at the destination"),
  textFlag("--dest-password <password>", "the password of --dest-user"),
];

/**
 * Prepares the way to a destination; in all that its options do not say it is like the source.
 *
 * @throws CommandError if the options contradict each other or a file cannot be read
 */
export function openDestination(
  { flags, io }: Pick<CommandContext, "flags" | "io">,
  endpoints: readonly string[],
  options: DestinationOptions,
): Promise<Connection> {
  const connection = {
    ...flags,
    endpoints: [...endpoints],
    discoverySrv: "",
    cacert: options.destCacert,
    cert: options.destCert,
    key: options.destKey,
    insecureTransport: options.destInsecureTransport,
    user: options.destUser,
    password: options.destPassword,
  };
  return openConnection(connection, io);
}
