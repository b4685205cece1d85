import { expectThat, type Stage } from "../stage.ts";

/** Three services come, one is killed, one leaves in good order. */
export async function showRegistry(stage: Stage): Promise<void> {
  stage.tell("Three processes register with leases of 2 s; a fourth prints who is there. Watch its live set.");
  const discoverer = stage.startRole("discoverer", "discoverer");
  const [a, b, c] = ["a", "b", "c"].map((id) => stage.startRole(`service ${id}`, "service", id));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three services were started");
  await discoverer.line(/live set: a, b, c$/);

  stage.tell("Service a is killed with SIGKILL. It cannot say goodbye, so it leaves when its lease runs out.");
  const killedAtMs = performance.now();
  await a.end("SIGKILL");
  await discoverer.line(/live set: b, c$/);
  stage.tell(`It was gone ${Math.round(performance.now() - killedAtMs)} ms later.`);

  stage.tell("Service b drains and deregisters: it leaves at once.");
  const drainedAtMs = performance.now();
  b.signal("SIGUSR1");
  await b.line(/^left$/);
  await discoverer.line(/live set: c$/);
  const leftMs = Math.round(performance.now() - drainedAtMs);
  stage.tell(`It was gone ${leftMs} ms later.`);
  expectThat(discoverer.said(/b \(draining\)/).length > 0, "the set showed b draining");
  await Promise.all([c.end(), discoverer.end()]);
}
