import { type Client, connect } from "@conclave/client";
import { type Actor, expectThat, type Stage } from "../stage.ts";

const writers = 20;
const acknowledgedBeforeKill = 500;

/** The member dies under load and starts again: nothing acknowledged is lost. */
export async function showDurability(stage: Stage, member: Actor): Promise<void> {
  await using client = await connect({ endpoints: [stage.endpoint] });
  stage.tell(
    `${writers} writers put keys as fast as they can. After ${acknowledgedBeforeKill} acknowledged writes comes SIGKILL.`,
  );
  const acknowledged = await writeUntilKilled(client, member);
  stage.tell(`${acknowledged.length} writes were acknowledged. The member starts again on the same data.`);
  await stage.startMember();
  const lost: string[] = [];
  for (const key of acknowledged) if ((await client.getString(key)) !== key) lost.push(key);
  expectThat(lost.length === 0, `every acknowledged write is there; lost: ${lost.slice(0, 5).join(", ")}`);
  stage.tell(`All ${acknowledged.length} are there.`);
}

async function writeUntilKilled(client: Client, member: Actor): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  let killed: Promise<void> | undefined;
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; killed === undefined; count++) {
      const key = `writes/${writer}/${count}`;
      try {
        await client.put(key, key, { timeoutMs: 2000 });
      } catch {
        return; // Its fate is unknown: it was not acknowledged.
      }
      acknowledged.push(key);
      if (acknowledged.length >= acknowledgedBeforeKill) killed ??= member.end("SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  await killed;
  return acknowledged;
}
