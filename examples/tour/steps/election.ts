import { connect } from "@conclave/client";
import { createElection } from "@conclave/election";
import { type Actor, expectThat, type Stage } from "../stage.ts";

/** Three candidates elect a leader; it dies; the next leads. */
export async function showElection(stage: Stage): Promise<void> {
  stage.tell("Three candidates stand for election. Watch who leads.");
  const candidates = ["anna", "bela", "cleo"].map((name) => stage.startRole(name, "candidate", name));
  await Promise.all(candidates.map((candidate) => candidate.line(/stands/)));
  const first = await whoLeads(candidates);
  stage.tell(`The leader, ${first.name}, is killed with SIGKILL.`);
  await first.end("SIGKILL");
  const others = candidates.filter((candidate) => candidate !== first);
  const second = await whoLeads(others);
  await using client = await connect({ endpoints: [stage.endpoint] });
  const leader = await createElection(client, "elections/scheduler").leader();
  expectThat(leader?.value === second.name, `everybody sees that ${second.name} leads`);
  stage.tell(`Now ${second.name} leads, and the election says so: "${leader?.value}", fence ${leader?.fence}.`);
  await Promise.all(others.map((candidate) => candidate.end("SIGKILL")));
}

/** The candidate that says first that it leads. */
function whoLeads(candidates: readonly Actor[]): Promise<Actor> {
  return Promise.any(candidates.map((candidate) => candidate.line(/leads/).then(() => candidate)));
}
