import { connect } from "@conclave/client";
import { expectThat, type Stage } from "../stage.ts";

function fenceOf(line: string): number {
  return Number(/fence (\d+)/.exec(line)?.[1]);
}

/** The holder of a lock is frozen past its TTL; the other takes over; the thawed one can do no harm. */
export async function showLock(stage: Stage): Promise<void> {
  stage.tell("Each worker writes a report under the same lock. Watch the fence, which grows with every holder.");
  const first = stage.startRole("worker 1", "worker", "worker 1");
  const firstFence = fenceOf(await first.line(/acquired/));
  const second = stage.startRole("worker 2", "worker", "worker 2");

  stage.tell(
    "Worker 1 is frozen with SIGSTOP for longer than its lease of 2 s, as a long pause of its machine would do.",
  );
  first.signal("SIGSTOP");
  const secondFence = fenceOf(await second.line(/acquired/));
  expectThat(secondFence > firstFence, `the second fence, ${secondFence}, is greater than the first, ${firstFence}`);

  stage.tell("Worker 1 is thawed and goes on writing, as if it still held the lock.");
  first.signal("SIGCONT");
  await first.line(/refused: OWNERSHIP_LOST; held is false/);
  await using client = await connect({ endpoints: [stage.endpoint] });
  const report = await client.getString("report");
  stage.tell(`The report says: "${report}".`);
  expectThat(report === `written by worker 2 with fence ${secondFence}`, "the report is the second worker's");
  await second.end();
}
