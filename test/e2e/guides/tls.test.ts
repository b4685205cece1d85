/** @module The guide to TLS, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/tls.md");
