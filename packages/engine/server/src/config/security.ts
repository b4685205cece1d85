/** @module Options of TLS, for clients and for peers, and of what web pages may do. */
import { option, type Section, toggle } from "./field.ts";
import { list, oneOf, text, wholeNumber } from "./scalars.ts";
import { origins } from "./urls.ts";

/** Options of security. Files are in PEM; none is named by default. */
export interface SecurityOptions {
  /** File of the certificate that clients are shown. Default: none. */
  readonly certFile: string;
  /** File of that certificate's key. Default: none. */
  readonly keyFile: string;
  /** Demand a certificate of clients, signed by one of {@link SecurityOptions.trustedCaFile}. Default false. */
  readonly clientCertAuth: boolean;
  /** File of the certificate with which the member calls itself, where clients need one. Default: {@link SecurityOptions.certFile}. */
  readonly clientCertFile: string;
  /** File of that certificate's key. Default: {@link SecurityOptions.keyFile}. */
  readonly clientKeyFile: string;
  /** File of the certificates of clients that were revoked. Default: none. */
  readonly clientCrlFile: string;
  /** Names of which a client's certificate must have one. Default: any will do. */
  readonly clientCertAllowedHostname: readonly string[];
  /** File of the authorities that may sign certificates of clients. Default: none. */
  readonly trustedCaFile: string;
  /** Make a certificate for clients that is signed by itself. Default false. */
  readonly autoTls: boolean;
  /** File of the certificate that peers are shown. Default: none. */
  readonly peerCertFile: string;
  /** File of that certificate's key. Default: none. */
  readonly peerKeyFile: string;
  /** Demand a certificate of peers, signed by one of {@link SecurityOptions.peerTrustedCaFile}. Default false. */
  readonly peerClientCertAuth: boolean;
  /** File of the certificate shown to peers that are called. Default: {@link SecurityOptions.peerCertFile}. */
  readonly peerClientCertFile: string;
  /** File of that certificate's key. Default: {@link SecurityOptions.peerKeyFile}. */
  readonly peerClientKeyFile: string;
  /** File of the authorities that may sign certificates of peers. Default: none. */
  readonly peerTrustedCaFile: string;
  /** Common names of which a peer's certificate must have one. Default: any will do. */
  readonly peerCertAllowedCn: readonly string[];
  /** Names of which a peer's certificate must have one. Default: any will do. */
  readonly peerCertAllowedHostname: readonly string[];
  /** Do not compare the address of a peer with the names in its certificate. Default false. */
  readonly peerSkipClientSanVerification: boolean;
  /** Make a certificate for peers that is signed by itself. Default false. */
  readonly peerAutoTls: boolean;
  /** Years for which certificates are made that are signed by themselves. Default 1. */
  readonly selfSignedCertValidity: number;
  /** File of the certificates of peers that were revoked. Default: none. */
  readonly peerCrlFile: string;
  /** Cipher suites for TLS 1.2, by their IANA names, best first. Default: those of Node. */
  readonly cipherSuites: readonly string[];
  /** Origins of web pages that may call the gateway; `*` stands for all. Default `*`. */
  readonly cors: readonly string[];
  /** Host names by which the gateway may be called without TLS; `*` or none stands for all. Default `*`. */
  readonly hostWhitelist: readonly string[];
  /** Least version of TLS. Default `TLS1.2`. */
  readonly tlsMinVersion: "TLS1.2" | "TLS1.3";
  /** Highest version of TLS. Empty: the highest there is. Default empty. */
  readonly tlsMaxVersion: "TLS1.2" | "TLS1.3" | "";
}

/** The section of security. */
export const securitySection: Section<SecurityOptions> = {
  title: "Security",
  fields: {
    certFile: option(text, { fallback: "", help: "File of the certificate that clients are shown." }),
    keyFile: option(text, { fallback: "", help: "File of that certificate's key." }),
    clientCertAuth: toggle({ fallback: false, help: "Demand a certificate of clients." }),
    clientCertFile: option(text, {
      fallback: "",
      help: "File of the certificate with which the member calls itself (default: --cert-file).",
    }),
    clientKeyFile: option(text, { fallback: "", help: "File of that certificate's key (default: --key-file)." }),
    clientCrlFile: option(text, { fallback: "", help: "File of the certificates of clients that were revoked." }),
    clientCertAllowedHostname: option(list, {
      fallback: [],
      help: "Comma-separated names of which a client's certificate must have one.",
    }),
    trustedCaFile: option(text, {
      fallback: "",
      help: "File of the authorities that may sign certificates of clients.",
    }),
    autoTls: toggle({ fallback: false, help: "Make a certificate for clients that is signed by itself." }),
    peerCertFile: option(text, { fallback: "", help: "File of the certificate that peers are shown." }),
    peerKeyFile: option(text, { fallback: "", help: "File of that certificate's key." }),
    peerClientCertAuth: toggle({ fallback: false, help: "Demand a certificate of peers." }),
    peerClientCertFile: option(text, {
      fallback: "",
      help: "File of the certificate shown to peers that are called (default: --peer-cert-file).",
    }),
    peerClientKeyFile: option(text, {
      fallback: "",
      help: "File of that certificate's key (default: --peer-key-file).",
    }),
    peerTrustedCaFile: option(text, {
      fallback: "",
      help: "File of the authorities that may sign certificates of peers.",
    }),
    peerCertAllowedCn: option(list, {
      fallback: [],
      help: "Comma-separated common names of which a peer's certificate must have one.",
    }),
    peerCertAllowedHostname: option(list, {
      fallback: [],
      help: "Comma-separated names of which a peer's certificate must have one.",
    }),
    peerSkipClientSanVerification: toggle({
      fallback: false,
      help: "Do not compare the address of a peer with the names in its certificate.",
      experimental: true,
    }),
    peerAutoTls: toggle({ fallback: false, help: "Make a certificate for peers that is signed by itself." }),
    selfSignedCertValidity: option(wholeNumber({ min: 1, max: 100 }), {
      fallback: 1,
      help: "Years for which certificates are made that are signed by themselves.",
    }),
    peerCrlFile: option(text, { fallback: "", help: "File of the certificates of peers that were revoked." }),
    cipherSuites: option(list, {
      fallback: [],
      help: "Comma-separated cipher suites for TLS 1.2, by their IANA names (default: those of Node).",
    }),
    cors: option(origins, {
      fallback: ["*"],
      help: "Comma-separated origins of web pages that may call the gateway (* or empty: all).",
    }),
    hostWhitelist: option(list, {
      fallback: ["*"],
      help: "Comma-separated host names by which the gateway may be called without TLS (* or empty: all).",
    }),
    tlsMinVersion: option(oneOf(["TLS1.2", "TLS1.3"]), { fallback: "TLS1.2", help: "Least version of TLS." }),
    tlsMaxVersion: option(oneOf(["TLS1.2", "TLS1.3", ""]), {
      fallback: "",
      help: "Highest version of TLS (empty: the highest there is).",
    }),
  },
  check({ tlsMinVersion, tlsMaxVersion, cipherSuites }, refuse) {
    if (tlsMaxVersion !== "" && tlsMinVersion > tlsMaxVersion)
      refuse("tlsMinVersion", `must not be above --tls-max-version ${tlsMaxVersion}`);
    if (tlsMinVersion === "TLS1.3" && cipherSuites.length > 0)
      refuse("cipherSuites", "cannot be chosen when --tls-min-version is TLS1.3");
  },
};
