const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** A size for people, in powers of 1 000 and at most two digits: `0 B`, `9.8 kB`, `25 kB`, `2.1 GB`. */
export function formatBytesSize(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1000)));
  const tenths = Math.floor((bytes / 1000 ** power) * 10 + 0.5);
  const amount = tenths < 100 ? (tenths / 10).toFixed(1) : String(roundHalfEven(tenths / 10));
  return `${amount} ${units[power]}`;
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
