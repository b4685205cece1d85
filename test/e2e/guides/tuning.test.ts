/** @module The guide to tuning, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/tuning.md");
