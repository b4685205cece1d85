/** @module Options that tell a new member where to ask who else founds its cluster. */
import { z } from "zod";
import { duration, option, type Section, toggle } from "./field.ts";
import { list, text } from "./scalars.ts";

/** Options of discovery. They count while there is no data. */
export interface DiscoveryOptions {
  /** Token under which the members of a cluster to be founded find each other. Default: none. */
  readonly discoveryToken: string;
  /** Endpoints of the cluster, of Conclave or etcd, that serves discovery. Default: none. */
  readonly discoveryEndpoints: readonly string[];
  /** Longest time until a connection to the discovery service stands. Default 2000. */
  readonly discoveryDialTimeout: number;
  /** Longest time that a request to the discovery service may take. Default 5000. */
  readonly discoveryRequestTimeout: number;
  /** Silence after which the discovery service is pinged. Default 2000. */
  readonly discoveryKeepaliveTime: number;
  /** Time the discovery service has to answer that ping. Default 6000. */
  readonly discoveryKeepaliveTimeout: number;
  /** Speak to the discovery service without TLS. Default true. */
  readonly discoveryInsecureTransport: boolean;
  /** Take any certificate of the discovery service. Only for tests. Default false. */
  readonly discoveryInsecureSkipTlsVerify: boolean;
  /** File of the certificate shown to the discovery service. Default: none. */
  readonly discoveryCert: string;
  /** File of that certificate's key. Default: none. */
  readonly discoveryKey: string;
  /** File of the authorities that may have signed the discovery service's certificate. Default: none. */
  readonly discoveryCacert: string;
  /** User, or `user:password`, at the discovery service. Default: none. */
  readonly discoveryUser: string;
  /** Password of that user. Default: none. */
  readonly discoveryPassword: string;
  /** Domain whose SRV records name the members of a cluster to be founded. Default: none. */
  readonly discoverySrv: string;
  /** Suffix of the service asked for: `_etcd-server-<suffix>._tcp`. Default: none. */
  readonly discoverySrvName: string;
}

/** The section of discovery. */
export const discoverySection: Section<DiscoveryOptions> = {
  title: "Discovery",
  fields: {
    discoveryToken: option(text, {
      fallback: "",
      help: "Token under which the members of a cluster to be founded find each other.",
    }),
    discoveryEndpoints: option(list, {
      fallback: [],
      help: "Comma-separated endpoints of the cluster that serves discovery.",
    }),
    discoveryDialTimeout: duration({
      fallback: 2000,
      fallbackText: "2s",
      help: "Longest time until a connection to the discovery service stands.",
    }),
    discoveryRequestTimeout: duration({
      fallback: 5000,
      fallbackText: "5s",
      help: "Longest time that a request to the discovery service may take.",
    }),
    discoveryKeepaliveTime: duration({
      fallback: 2000,
      fallbackText: "2s",
      help: "Silence after which the discovery service is pinged.",
    }),
    discoveryKeepaliveTimeout: duration({
      fallback: 6000,
      fallbackText: "6s",
      help: "Time the discovery service has to answer that ping.",
    }),
    discoveryInsecureTransport: toggle({ fallback: true, help: "Speak to the discovery service without TLS." }),
    discoveryInsecureSkipTlsVerify: toggle({
      fallback: false,
      help: "Take any certificate of the discovery service. Only for tests.",
    }),
    discoveryCert: option(text, { fallback: "", help: "File of the certificate shown to the discovery service." }),
    discoveryKey: option(text, { fallback: "", help: "File of that certificate's key." }),
    discoveryCacert: option(text, {
      fallback: "",
      help: "File of the authorities that may have signed the discovery service's certificate.",
    }),
    discoveryUser: option(text, {
      fallback: "",
      secret: true,
      help: "User, or USER:PASSWORD, at the discovery service.",
    }),
    discoveryPassword: option(text, { fallback: "", secret: true, help: "Password of that user." }),
    discoverySrv: option(z.string().regex(/^[^\s/:]*$/, "must be a domain"), {
      fallback: "",
      help: "Domain whose SRV records name the members of a cluster to be founded.",
    }),
    discoverySrvName: option(z.string().regex(/^[A-Za-z0-9-]*$/, "must have letters, digits and dashes only"), {
      fallback: "",
      help: "Suffix of the service that is asked for: _etcd-server-SUFFIX._tcp.",
    }),
  },
  check({ discoveryToken, discoveryEndpoints, discoverySrv }, refuse) {
    if (discoveryToken !== "" && discoveryEndpoints.length === 0)
      refuse("discoveryToken", "needs --discovery-endpoints");
    if (discoveryToken === "" && discoveryEndpoints.length > 0) refuse("discoveryEndpoints", "needs --discovery-token");
    if (discoverySrv !== "" && discoveryEndpoints.length > 0)
      refuse("discoverySrv", "does not go together with --discovery-endpoints");
  },
};
