/** @module The page about proxies, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/proxies.md");
