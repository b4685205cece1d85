/** @module What the two threads of a renewer send each other. */
import type { Credentials } from "../transport/credentials.ts";
import type { TlsOptions } from "../transport/tls-options.ts";

/** What the renewer's thread is started with. */
export interface RenewerSettings {
  /** The members. */
  readonly endpoints: readonly string[];
  /** How `https` connections are encrypted. */
  readonly tls: TlsOptions | undefined;
  /** Who the client is. */
  readonly credentials: Credentials | undefined;
}

/** What the main thread says. */
export type ToRenewer =
  | {
      readonly kind: "add";
      readonly lease: bigint;
      readonly ttlSec: number;
      readonly cell: SharedArrayBuffer;
      readonly heartbeat: SharedArrayBuffer;
      readonly maxStallMs: number;
    }
  | { readonly kind: "remove"; readonly lease: bigint };

/** What the renewer's thread says. */
export type FromRenewer =
  | { readonly kind: "renewed"; readonly lease: bigint }
  | { readonly kind: "gone"; readonly lease: bigint };
