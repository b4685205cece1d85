/** @module The certificate, key and authorities of a member, kept up to date with their files. */
import type { SecureContextOptions } from "node:tls";
import { type CredentialFiles, type Credentials, readCredentials } from "./certificates.ts";
import { ReloadedFiles } from "./reloaded-files.ts";
import type { TlsLog } from "./tls-settings.ts";

/** Credentials that follow their files. */
export class Identity {
  readonly #files: ReloadedFiles<Credentials>;
  readonly #log: TlsLog;
  #told = "";

  /**
   * @param files - where they come from
   * @param options - `base`: versions and cipher suites; `log`: is told of files that have become unreadable
   * @throws TlsError `FILE` if they cannot be read now
   */
  constructor(files: CredentialFiles, { base, log }: { readonly base: SecureContextOptions; readonly log: TlsLog }) {
    const { certFile, keyFile, trustedCaFile } = files;
    this.#files = new ReloadedFiles([certFile, keyFile, trustedCaFile], (read) => readCredentials(files, read, base));
    this.#log = log;
    this.#files.current();
  }

  /**
   * As the files are now. While one of them is missing or makes no sense, which is so for a moment when certificate and
   * key are replaced one after the other, as they were before.
   */
  current(): Credentials {
    try {
      const credentials = this.#files.current();
      this.#told = "";
      return credentials;
    } catch (error) {
      const { last } = this.#files;
      if (last === undefined) throw error;
      this.#tell(error instanceof Error ? error.message : String(error));
      return last;
    }
  }

  #tell(reason: string): void {
    if (this.#told === reason) return;
    this.#told = reason;
    this.#log.warn("cannot load the certificate anew, the one loaded before stays in use", { error: reason });
  }
}
