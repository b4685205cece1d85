/** @module The servers there are to compare. */
import { startEtcd, startMember } from "@conclave/testkit";
import type { Side } from "./suite.ts";

/** Debian 12's etcd. */
export const etcd34: Side = { name: "etcd 3.4", version: "3.4", start: () => startEtcd() };

/** Debian sid's etcd, whose behaviour is Conclave's where the two differ. */
export const etcd35: Side = { name: "etcd 3.5", version: "3.5", start: () => startEtcd({ version: "3.5" }) };

const given = process.env.CONFORMANCE_ENDPOINT;

/** Conclave, or for experiments whatever serves at `CONFORMANCE_ENDPOINT`. */
export const conclave: Side =
  given === undefined
    ? { name: "Conclave", start: () => startMember() }
    : { name: given, start: async () => ({ endpoint: given, [Symbol.asyncDispose]: async () => undefined }) };
