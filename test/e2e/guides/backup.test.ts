/** @module The guide to backups and to moving from etcd, as it stands. */
import { describeGuide } from "./guide.ts";

describeGuide("docs/backup.md");
