export type {
  CampaignOptions,
  Election,
  ElectionOptions,
  Leadership,
  LeaderTask,
  LeadOptions,
} from "./election.ts";
export { createElection } from "./election.ts";
export type { Leader } from "./leader-watch.ts";
