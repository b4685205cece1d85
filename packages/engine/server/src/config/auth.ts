/** @module Options of authentication. */
import { z } from "zod";
import { option, type Section } from "./field.ts";
import { wholeNumber } from "./scalars.ts";

/** Options of authentication. */
export interface AuthOptions {
  /** Kind of the tokens: `simple`, or `jwt` with its options as in `jwt,pub-key=…,priv-key=…,sign-method=RS256,ttl=10m`. Default `simple`. */
  readonly authToken: string;
  /** Cost of hashing a password, as a power of two, from 4 to 31. Default 10. */
  readonly bcryptCost: number;
  /** Seconds that a simple token lives without being used; 0 stands for the default. Default 300. */
  readonly authTokenTtl: number;
}

/** The section of authentication. */
export const authSection: Section<AuthOptions> = {
  title: "Auth",
  fields: {
    authToken: option(z.string().regex(/^(simple|jwt)(,|$)/, "must be simple, or jwt followed by its options"), {
      fallback: "simple",
      secret: true,
      help: "Kind of the tokens, with its options: 'simple', or 'jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256'.",
    }),
    bcryptCost: option(wholeNumber({ min: 4, max: 31 }), {
      fallback: 10,
      help: "Cost of hashing a password, from 4 to 31.",
    }),
    authTokenTtl: option(wholeNumber({ min: 0 }), {
      fallback: 300,
      help: "Seconds that a simple token lives without being used (0: the default).",
    }),
  },
};
