/** @module Ports for servers that are told where to listen. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Systems give outgoing connections ports from 32768 on. A member that is down must find its port free when it comes
 * back, and whoever keeps dialling a port of that range meanwhile ends up connected to itself.
 */
const portsOfServers = { min: 10_240, max: 32_000 };

/** Processes that look for ports at the same time, as vitest's workers do, each look among their own. */
const shares = 16;
const shareSize = (portsOfServers.max - portsOfServers.min) / shares;
const share = Number(process.env.VITEST_POOL_ID ?? randomInt(shares)) % shares;
const attemptsMax = 1_000;

let next = randomInt(shareSize);

/**
 * Loopback ports that are free now. None is given twice before all others of this process's share were, so that
 * one is still free when its server starts, and when it starts again.
 *
 * @throws Error if there are not as many
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let attempt = 0; found.length < count; attempt++) {
    if (attempt === attemptsMax) throw new Error(`Cannot find ${count} free ports after ${attemptsMax} tries`);
    const port = portsOfServers.min + share * shareSize + (next++ % shareSize);
    if (await isFree(port)) found.push(port);
  }
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
