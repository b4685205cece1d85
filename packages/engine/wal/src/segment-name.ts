/** One file of the log. */
export interface SegmentName {
  /** The position among the files, from 0 up without a gap. */
  readonly sequence: number;
  /** The index of the first entry expected in the file. */
  readonly index: number;
}

const pattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/** The file name of a segment: sequence and index as 16 hex digits each. */
export function formatSegmentName({ sequence, index }: SegmentName): string {
  return `${hex16(sequence)}-${hex16(index)}.wal`;
}

/** The segment a file name stands for, or undefined for any other name. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = pattern.exec(name);
  if (match === null) return undefined;
  const sequence = Number.parseInt(match[1] ?? "", 16);
  const index = Number.parseInt(match[2] ?? "", 16);
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(index) ? { sequence, index } : undefined;
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
