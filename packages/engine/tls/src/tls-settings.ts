/** TLS as one group of etcd's flags describes it: that of clients, or that of peers. */
export interface TlsSettings {
  /** File with the certificate, PEM; certificates of intermediate authorities may follow it. */
  readonly certFile: string;
  /** File with the private key of that certificate, PEM, without a password. */
  readonly keyFile: string;
  /** File with the certificate to show when dialling. Default: `certFile`. */
  readonly clientCertFile?: string | undefined;
  /** File with the key of that certificate. Default: `keyFile`. */
  readonly clientKeyFile?: string | undefined;
  /**
   * File with the certificates of the authorities to trust, PEM. Naming it demands certificates of whoever connects,
   * as in etcd. Default: the authorities that Node trusts.
   */
  readonly trustedCaFile?: string | undefined;
  /** Demand a verified certificate of whoever connects. Default: false, unless `trustedCaFile` is named. */
  readonly clientCertAuth?: boolean | undefined;
  /** File with revocation lists, PEM or DER. Default: nothing is revoked. */
  readonly crlFile?: string | undefined;
  /** Common names of which the other end's certificate must have one. Default: any. */
  readonly allowedCommonNames?: readonly string[] | undefined;
  /** Host names of which the other end's certificate must be valid for one. Default: any. */
  readonly allowedHostnames?: readonly string[] | undefined;
  /** Cipher suites of TLS 1.2 by their IANA names; those of 1.3 cannot be chosen. Default: Node's. */
  readonly cipherSuites?: readonly string[] | undefined;
  /** Oldest version: `TLS1.2` or `TLS1.3`. Default: `TLS1.2`. */
  readonly minVersion?: string | undefined;
  /** Newest version: `TLS1.2` or `TLS1.3`. Default: the newest there is. */
  readonly maxVersion?: string | undefined;
}

/** Where refused connections and unreadable files are told of. */
export interface TlsLog {
  /** What an operator should look at. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
