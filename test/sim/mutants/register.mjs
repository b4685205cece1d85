// Given to `node --import` before the loader of TypeScript: puts the fault of one mutant into the sources on their way in.
import { register } from "node:module";

register("./patch.mjs", import.meta.url, { data: { mutant: process.env.CONCLAVE_MUTANT } });
