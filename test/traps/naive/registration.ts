/**
 * @module A registration as it is often written: a lease for every key, renewed by a timer; when that fails, everything again
 * after a fixed pause.
 */
import type { Client } from "@conclave/client";

const pauseMs = 1_000;
const timeoutMs = 1_000;

/** Keeps a key registered for as long as its process runs. */
export async function naiveRegister(client: Client, key: string, ttlSec: number): Promise<never> {
  const { scheduler } = client.ports;
  const pause = (delayMs: number) => new Promise<void>((resolve) => void scheduler.after(delayMs, resolve));
  for (;;) {
    try {
      const { id: lease } = await client.lease.grant({ ttlSec, timeoutMs });
      await client.put(key, "{}", { lease, timeoutMs });
      for (;;) {
        await pause((ttlSec * 1_000) / 3);
        await client.lease.keepAliveOnce(lease, { timeoutMs });
      }
    } catch {
      await pause(pauseMs);
    }
  }
}
