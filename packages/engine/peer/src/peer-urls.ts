/** Where a member is reached: several URLs, of which the one that worked last is used. */
export class PeerUrls {
  #urls: readonly string[];
  #picked = 0;

  /** @param urls - at least one */
  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  /** The URL to try. */
  get current(): string {
    return this.#urls[this.#picked] ?? "";
  }

  /** Takes other URLs. */
  replace(urls: readonly string[]): void {
    this.#urls = urls;
    this.#picked = 0;
  }

  /** Moves on from a URL that does not work, unless somebody else already has. */
  avoid(url: string): void {
    if (url === this.current) this.#picked = (this.#picked + 1) % this.#urls.length;
  }
}
