/** @module The disaster-recovery guide, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/disaster-recovery.md");
