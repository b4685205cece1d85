import { type Field, staticTable } from "./static-table.ts";

/** What a field costs beside its name and its value (RFC 7541 §4.1). */
const fieldOverheadBytes = 32;

/** The size of a field, as tables and lists of fields are measured. */
export function fieldBytes([name, value]: Field): number {
  return name.length + value.length + fieldOverheadBytes;
}

/** The fields that were sent before, the newest first (RFC 7541 §2.3.2); indexes go on where the static ones end. */
export class DynamicTable {
  /** The oldest first, so that one is added at the end. */
  readonly #fields: Field[] = [];
  #bytes = 0;
  #bytesMax: number;

  /** @param bytesMax - the most that its fields may take */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The most that its fields may take. */
  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Room that is left without an eviction. */
  get roomBytes(): number {
    return this.#bytesMax - this.#bytes;
  }

  /** The field of an index, the static ones among them; undefined if there is none. */
  field(index: number): Field | undefined {
    if (index <= staticTable.length) return staticTable[index - 1];
    return this.#fields[this.#fields.length - (index - staticTable.length)];
  }

  /** The index of a field that was added; undefined if it is not there. */
  indexOf(name: string, value: string): number | undefined {
    const at = this.#fields.findLastIndex((field) => field[0] === name && field[1] === value);
    return at < 0 ? undefined : staticTable.length + this.#fields.length - at;
  }

  /** Adds a field; older ones make room. One that is larger than the table leaves it empty (RFC 7541 §4.4). */
  add(field: Field): void {
    const bytes = fieldBytes(field);
    this.#evict(this.#bytesMax - bytes);
    if (bytes > this.#bytesMax) return;
    this.#fields.push(field);
    this.#bytes += bytes;
  }

  /** Changes the most that its fields may take. */
  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  #evict(bytesMax: number): void {
    let count = 0;
    while (this.#bytes > bytesMax && count < this.#fields.length) {
      this.#bytes -= fieldBytes(this.#fields[count] as Field);
      count++;
    }
    this.#fields.splice(0, count);
  }
}
