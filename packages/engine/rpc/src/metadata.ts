import { GrpcStatus } from "@conclave/protocol";
import { RpcError } from "./rpc-error.ts";
import type { HeaderFields } from "./transport.ts";

/** What the client sent along with a call. Names are lower-case; those that end in `-bin` hold bytes. */
export interface Metadata {
  /** The value of a name, or undefined; values sent under the same name are joined by a comma and a space. */
  get(name: string): string | undefined;
  /**
   * The values of a name that ends in `-bin`, decoded.
   *
   * @throws {@link RpcError} `INTERNAL` if one is not base64
   */
  getBinary(name: string): readonly Uint8Array[];
  /** Every name, without those that HTTP/2 and gRPC use themselves. */
  names(): readonly string[];
}

const reserved: ReadonlySet<string> = new Set(["accept-encoding", "content-type", "te", "user-agent"]);

function isOfTheCaller(name: string): boolean {
  return !name.startsWith(":") && !name.startsWith("grpc-") && !reserved.has(name);
}

function decodeBase64(name: string, value: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.replace(/=+$/, "").length % 4 === 1) {
    throw new RpcError(
      GrpcStatus.Internal,
      `malformed binary metadata ${JSON.stringify(value)} in header ${JSON.stringify(name)}: illegal base64 data`,
    );
  }
  return Buffer.from(value, "base64");
}

/** Metadata read from the header fields of a request, on demand. */
export class HeaderMetadata implements Metadata {
  readonly #headers: HeaderFields;

  constructor(headers: HeaderFields) {
    this.#headers = headers;
  }

  get(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === "object" ? value.join(", ") : value;
  }

  getBinary(name: string): readonly Uint8Array[] {
    const values = this.get(name)?.split(",") ?? [];
    return values.map((value) => decodeBase64(name, value.trim()));
  }

  names(): readonly string[] {
    return Object.keys(this.#headers).filter(isOfTheCaller);
  }
}

const namePattern = /^[0-9a-z_.-]+$/;
const valuePattern = /^[ -~]*$/;

/**
 * Adds one metadata entry to outgoing header fields.
 *
 * @throws RangeError if the name or the value cannot stand in a header
 */
export function addMetadata(fields: Record<string, string>, name: string, value: string | Uint8Array): void {
  if (!namePattern.test(name) || !isOfTheCaller(name)) {
    throw new RangeError(`Cannot send metadata as the name is not allowed: current value is "${name}"`);
  }
  if ((typeof value !== "string") !== name.endsWith("-bin")) {
    throw new RangeError(`Cannot send metadata as bytes belong under a name in -bin and only there: "${name}"`);
  }
  if (typeof value === "string" && !valuePattern.test(value)) {
    throw new RangeError(`Cannot send metadata as the value of "${name}" is not printable ASCII`);
  }
  fields[name] = typeof value === "string" ? value : Buffer.from(value).toString("base64");
}
