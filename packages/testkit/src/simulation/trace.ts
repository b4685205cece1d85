/** The newest lines that are kept to be shown. */
const keptLines = 200;

/**
 * What happened in a run, in order, as one number: two runs of one seed must come to the same one. The newest lines are
 * kept as text.
 */
export class Trace {
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #lines: string[] = [];
  #count = 0;

  /** Notes one thing that happened. */
  note(line: string): void {
    let [low, high] = [this.#low, this.#high];
    for (let at = 0; at < line.length; at++) {
      const unit = line.charCodeAt(at);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit, 0x85ebca6b);
    }
    this.#low = low;
    this.#high = high;
    this.#count++;
    this.#lines.push(line);
    if (this.#lines.length === 2 * keptLines) this.#lines = this.#lines.slice(keptLines);
  }

  /** How much was noted. */
  get count(): number {
    return this.#count;
  }

  /** The number that stands for all of it, in hex. */
  get hash(): string {
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return `${hex(this.#high)}${hex(this.#low)}`;
  }

  /** The newest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#lines.slice(-keptLines);
  }
}
