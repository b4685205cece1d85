const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** A `grpc-timeout`, or what is wrong with it in grpc-go's words. */
export type GrpcTimeout =
  | { readonly kind: "valid"; readonly timeoutMs: number }
  | { readonly kind: "malformed"; readonly reason: string };

function malformed(reason: string): GrpcTimeout {
  return { kind: "malformed", reason: `transport: ${reason}` };
}

/**
 * Reads the header `grpc-timeout`: at most eight digits and a unit, such as `500m`.
 *
 * @returns milliseconds, with a fraction where the unit is smaller
 */
export function parseGrpcTimeout(value: string): GrpcTimeout {
  const quoted = JSON.stringify(value);
  if (value.length < 2) return malformed(`timeout string is too short: ${quoted}`);
  if (value.length > 9) return malformed(`timeout string is too long: ${quoted}`);
  const unit = unitMs[value.slice(-1)];
  if (unit === undefined) return malformed(`timeout unit is not recognized: ${quoted}`);
  const digits = value.slice(0, -1);
  if (!/^\d+$/.test(digits)) return malformed(`timeout is not a number: ${quoted}`);
  return { kind: "valid", timeoutMs: Number(digits) * unit };
}
