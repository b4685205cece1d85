/**
 * @module How instances are laid out in the store: `<prefix><service>/<id>`, and a document under it. Conclave's own is
 * read and written; those of others are read, so that their services can be found from here:
 *
 * | layout | written by | document |
 * |---|---|---|
 * | `etcd-endpoints` | etcd's Go package `naming/endpoints` | `{"Op":0,"Addr":"10.0.0.7:9090","Metadata":null}` |
 * | `kratos` | kratos' registry on etcd | `{"id","name","version","metadata":{},"endpoints":["http://10.0.0.7:8000"]}` |
 */
import type { KeyValue } from "@conclave/client";
import { z } from "zod";
import { type MetadataCheck, parseInstance, type StoredInstance } from "./instance.ts";

/** The name of a layout. */
export type InstanceLayout = "conclave" | "etcd-endpoints" | "kratos";

/** What the keys of each layout start with by default. */
export const defaultPrefixes: Readonly<Record<InstanceLayout, string>> = {
  conclave: "services/",
  "etcd-endpoints": "",
  kratos: "/microservices/",
};

/** Where an instance is, by its key. */
interface Place {
  readonly service: string;
  readonly id: string;
}

/** Reads the document of a layout. Throws at anything else. */
type Reader = (document: unknown, place: Place) => StoredInstance;

const endpointSchema = z.object({ Addr: z.string().min(1), Metadata: z.unknown().optional() });

/** The endpoint of etcd's manager: an address of gRPC, and whatever the program that registered it wanted to say. */
const readEndpoint: Reader = (document, place) => {
  const { Addr, Metadata } = endpointSchema.parse(document);
  return { ...plain, ...place, addresses: { grpc: Addr }, metadata: Metadata ?? {} };
};

const kratosSchema = z.object({
  name: z.string(),
  version: z.string().default(""),
  metadata: z.record(z.string(), z.string()).nullish(),
  endpoints: z.array(z.string()).nullish(),
});

/** An instance of kratos: addresses carry their scheme, and a weight is part of the metadata. */
const readKratos: Reader = (document, place) => {
  const { version, metadata, endpoints } = kratosSchema.parse(document);
  const weight = Number(metadata?.weight);
  return {
    ...plain,
    ...place,
    version,
    addresses: Object.fromEntries((endpoints ?? []).map(kratosAddress)),
    weight: Number.isFinite(weight) && weight >= 0 ? weight : plain.weight,
    metadata: metadata ?? {},
  };
};

/** `grpc://10.0.0.7:9000?isSecure=true` is `10.0.0.7:9000` of `grpcs`; of http the scheme stays. */
function kratosAddress(endpoint: string): [protocol: string, address: string] {
  const url = new URL(endpoint);
  const scheme = url.protocol.slice(0, -1);
  const protocol = url.searchParams.get("isSecure") === "true" && !scheme.endsWith("s") ? `${scheme}s` : scheme;
  return [protocol, protocol.startsWith("http") ? `${protocol}://${url.host}` : url.host];
}

const plain = { version: "", zone: "", weight: 1, health: "passing", state: "up", owner: "" } as const;

const readers: Readonly<Record<InstanceLayout, Reader>> = {
  conclave: parseInstance,
  "etcd-endpoints": readEndpoint,
  kratos: readKratos,
};

/** How the instances of one registry are found and read. */
export interface InstanceStore<Metadata> {
  /** What their keys start with. */
  readonly prefix: string;
  /** Who lays them out. */
  readonly layout: InstanceLayout;
  /** Checks their metadata. */
  readonly metadata: MetadataCheck<Metadata>;
}

/** The key of an instance. */
export function instanceKey({ prefix }: { readonly prefix: string }, { service, id }: Place): string {
  return `${prefix}${service}/${id}`;
}

/** Reads an instance; undefined if the key holds none of this layout, or one whose metadata is not as it should be. */
export function readInstance<Metadata>(
  store: InstanceStore<Metadata>,
  kv: KeyValue,
): StoredInstance<Metadata> | undefined {
  const key = kv.keyString;
  const [, service = "", id = ""] = /^([^/]+)\/(.+)$/s.exec(key.slice(store.prefix.length)) ?? [];
  try {
    const stored = readers[store.layout](JSON.parse(kv.valueString), { service, id });
    if (service === "" || instanceKey(store, stored) !== key) return undefined;
    return { ...stored, metadata: store.metadata(stored.metadata) };
  } catch {
    return undefined; // Not of this registry: whoever reads the instances reports the key.
  }
}
