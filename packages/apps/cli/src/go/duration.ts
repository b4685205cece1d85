const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Reads a duration in Go's form, such as `5s`, `1h30m` or `1.5ms`.
 *
 * @returns milliseconds
 * @throws RangeError with Go's words if it is none
 */
export function parseDurationMs(text: string): number {
  const [, sign = "", body = ""] = /^([+-]?)(.*)$/.exec(text) ?? [];
  if (body === "0") return 0;
  if (/^\d+(\.\d*)?$/.test(body)) throw new RangeError(`time: missing unit in duration ${JSON.stringify(text)}`);
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(body))
    throw new RangeError(`time: invalid duration ${JSON.stringify(text)}`);
  let ns = 0;
  for (const [, amount = "", unit = ""] of body.matchAll(/([\d.]+)([^\d.]+)/g))
    ns += Number(amount) * (unitNs[unit] ?? 0);
  return (sign === "-" ? -ns : ns) / 1e6;
}

/** Writes a duration in Go's form: `915.283µs`, `2.677166ms`, `5.000860885s`, `1m30s`. */
export function formatDuration(ms: number): string {
  const ns = Math.round(ms * 1e6);
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${decimal(ns, 1e3)}µs`;
  if (ns < 1e9) return `${decimal(ns, 1e6)}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = `${decimal(ns % 60e9, 1e9)}s`;
  return hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** The quotient with as many decimals as it needs. */
function decimal(ns: number, unit: number): string {
  const digits = String(unit).length - 1;
  const fraction = String(ns % unit)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  return `${Math.floor(ns / unit)}${fraction === "" ? "" : `.${fraction}`}`;
}
