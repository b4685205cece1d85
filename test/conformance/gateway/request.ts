/** @module One HTTP request of the comparison, and what is kept of its answer. */
import type { EtcdVersion } from "@conclave/testkit";

/** A request, and what of its answer counts. */
export interface GatewayRequest {
  /** Its path, as in `/v3/kv/put`. */
  readonly path: string;
  /** The body: an object is told as JSON, several of them one after the other. Default: none. */
  readonly body?: object | readonly object[] | string;
  /** Default: POST. */
  readonly method?: string;
  /** Header fields. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Show the token of the last login. Default: no token. */
  readonly signedIn?: boolean;
  /** Hang up after so many lines of a stream. Default: read to the end. */
  readonly lines?: number;
  /** Show one line of the stream, and read the rest: etcd 3.4 may never defragment again after a snapshot that is cut off. */
  readonly firstOfAll?: boolean;
  /** The text of the error is the reader's own, and not compared. Default false. */
  readonly ownWords?: boolean;
  /** The rows of docs/compatibility.md that tell of a difference, by the version that differs. Default: none. */
  readonly differs?: Partial<Record<EtcdVersion, string>>;
}

/** What an answer showed. */
export interface ShownAnswer {
  readonly request: string;
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
  readonly differs: Partial<Record<EtcdVersion, string>>;
}

/** What no two servers have in common. */
const volatileFields: ReadonlySet<string> = new Set(
  "cluster_id member_id raft_term hash compact_revision_hash version dbSize dbSizeInUse raftIndex raftTerm raftAppliedIndex members token".split(
    " ",
  ),
);
/** What is a matter of the member, not of the gateway, and told of elsewhere; and what only later versions have. */
const leftOut: ReadonlySet<string> = new Set(
  "storageVersion dbSizeQuota downgradeInfo hash_revision peerURLs clientURLs leader blob remaining_bytes".split(" "),
);
/** Errors in the fields of one version only: `code` and `message` say it all. */
const doubled: ReadonlySet<string> = new Set(["error", "details"]);
const streamDoubled: ReadonlySet<string> = new Set(["grpc_code", "http_code", "http_status"]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the gateway of etcd says of a deadline when the server's half of it has noticed before its own. */
const lateWords = "stream terminated by RST_STREAM with error code: CANCEL";

/** An error in the words that all versions have in common. */
function plainError(error: Record<string, unknown>, ownWords: boolean): unknown {
  const code = error.code ?? error.grpc_code;
  const rest = Object.entries(error).filter(([name]) => !doubled.has(name) && !streamDoubled.has(name));
  const plain = { ...Object.fromEntries(rest), code, ...(ownWords && { message: "..." }) };
  return error.message === lateWords ? { ...plain, message: "context deadline exceeded" } : plain;
}

function comparable(value: unknown, ownWords: boolean): unknown {
  if (Array.isArray(value)) return value.map((each) => comparable(each, ownWords));
  if (!isObject(value)) return value;
  if (typeof value.code === "number" || typeof value.grpc_code === "number") return plainError(value, ownWords);
  const kept = Object.entries(value).filter(([name]) => !leftOut.has(name));
  return Object.fromEntries(
    kept.map(([name, each]) => [name, volatileFields.has(name) ? "..." : comparable(each, ownWords)]),
  );
}

function bodyText(body: GatewayRequest["body"]): string | undefined {
  if (typeof body === "string" || body === undefined) return body;
  return Array.isArray(body) ? body.map((each) => JSON.stringify(each)).join("\n") : JSON.stringify(body);
}

/** Reads lines until there are enough of them, or the end. */
async function readLines(reply: Response, enough: number): Promise<string> {
  let read = "";
  const decoder = new TextDecoder();
  for await (const bytes of reply.body ?? []) {
    read += decoder.decode(bytes as Uint8Array, { stream: true });
    if (read.split("\n").length > enough) break; // Leaving the loop hangs up.
  }
  return read.split("\n").slice(0, enough).join("\n");
}

/** The body as one value, as several if it has several lines, or as text if it is no JSON. */
function parseBody(text: string): unknown {
  const lines = text.split("\n").filter((line) => line !== "");
  try {
    const values = lines.map((line) => JSON.parse(line) as unknown);
    return values.length === 1 ? values[0] : values;
  } catch {
    return text;
  }
}

/** A client that remembers the token of its last login. */
export class GatewayClient {
  readonly #endpoint: string;
  #token = "";

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Sends a request and shows the answer. */
  async ask(request: GatewayRequest): Promise<ShownAnswer> {
    const { signedIn = false, headers = {} } = request;
    const { reply, text } = await send(this.#endpoint, {
      ...request,
      headers: { ...headers, ...(signedIn && { authorization: this.#token }) },
    }).catch((cause: unknown) => {
      throw new Error(`No answer to ${request.path} ${bodyText(request.body) ?? ""}`, { cause });
    });
    const body = parseBody(text);
    if (isObject(body) && typeof body.token === "string") this.#token = body.token;
    const { method = "POST", path, ownWords = false, differs = {} } = request;
    return {
      request: `${method} ${path} ${bodyText(request.body) ?? ""}`,
      status: reply.status,
      type: reply.headers.get("content-type"),
      body: comparable(body, ownWords),
      differs,
    };
  }
}

/** The slowest requests are those that wait for a deadline of the server's own. */
const answerWithinMs = 60_000;

async function send(endpoint: string, request: GatewayRequest): Promise<{ reply: Response; text: string }> {
  const { path, method = "POST", headers = {}, lines = Number.POSITIVE_INFINITY, firstOfAll = false } = request;
  const body = bodyText(request.body);
  const reply = await fetch(`http://${endpoint}${path}`, {
    method,
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    redirect: "manual",
    signal: AbortSignal.timeout(answerWithinMs),
    ...(body !== undefined && { body }),
  });
  const text = await readLines(reply, lines);
  return { reply, text: firstOfAll ? (text.split("\n", 1)[0] ?? "") : text };
}
