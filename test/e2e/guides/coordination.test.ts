/** @module The guide to what recipes keep, and to `verify`, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/coordination.md");
