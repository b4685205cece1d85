export { type ConclaveResolverOptions, registerConclaveResolver } from "./register.ts";
