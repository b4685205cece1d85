/** @module The guide to monitoring, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/monitoring.md");
