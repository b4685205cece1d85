/** @module The operations guide, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/operations.md");
