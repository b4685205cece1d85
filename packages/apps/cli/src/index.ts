export { runConclavectl } from "./conclavectl.ts";
export { type Io, processIo } from "./io.ts";
