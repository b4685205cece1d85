export type { Backend, BackendEntry, BackendScan, BackendSize, BackendView, Bucket } from "./backend.ts";
export { buckets } from "./backend.ts";
export { ByteSlab } from "./byte-slab.ts";
export { ByteWriter, varint64Bytes, varintBytes } from "./byte-writer.ts";
export {
  asBuffer,
  binaryString,
  binaryStringBytes,
  binaryStringOf,
  compareBytes,
  concatBytes,
  emptyBytes,
  equalBytes,
  hex,
  prefixEnd,
  utf8,
  utf8Text,
} from "./bytes.ts";
export { crc32c } from "./crc32c.ts";
export { exponentialBounds, Histogram } from "./histogram.ts";
export { InvariantError, invariant, setVerifying, verify } from "./invariant.ts";
export type { Clock, Random, Scheduler, Timer } from "./ports.ts";
export { MalformedError, ProtoReader } from "./proto-reader.ts";
export { systemScheduler, timerMsMax } from "./system-scheduler.ts";
export { withoutUserInfo } from "./user-info.ts";
