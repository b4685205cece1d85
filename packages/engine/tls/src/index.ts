export { commonNameOf } from "./certificates.ts";
export { cipherSuiteNames } from "./cipher-suites.ts";
export type { Resolver } from "./client-address.ts";
export { misdirected, type Refusal, RefusalLog } from "./refusal-log.ts";
export { type CertificateFiles, ensureSelfSigned, type SelfSignedOptions } from "./self-signed.ts";
export { createTlsClient, type TlsClient, type TlsClientOptions } from "./tls-client.ts";
export { TlsError, type TlsErrorCode } from "./tls-error.ts";
export {
  createTlsServer,
  type SecuredConnection,
  type TlsAcceptor,
  type TlsServer,
  type TlsServerOptions,
} from "./tls-server.ts";
export type { TlsLog, TlsSettings } from "./tls-settings.ts";
