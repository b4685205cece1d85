/** @module The guide to users, roles and permissions, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/auth.md");
