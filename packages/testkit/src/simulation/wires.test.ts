import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { virtualTime } from "../virtual-time.ts";
import { goodLink, type LinkSettings, Wires } from "./wires.ts";

const route = { from: "a", to: "b" };

function wiring(settings: Partial<LinkSettings> = {}, seed = 1) {
  const time = virtualTime(seed);
  const wires = new Wires({ time, random: seededRandom(seed), settings: { ...goodLink, ...settings } });
  const arrived: number[] = [];
  const lost: string[] = [];
  const send = (count: number, isConnected = false) => {
    for (let name = 0; name < count; name++)
      wires.send({
        ...route,
        isConnected,
        deliver: () => arrived.push(name),
        onLost: (reason) => lost.push(`${name} ${reason}`),
      });
  };
  return { time, wires, arrived, lost, send };
}

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

describe("Wires", () => {
  it("bring everything in order when they are good", async () => {
    const { time, arrived, lost, send } = wiring();
    send(100);
    expect(arrived).toEqual([]);
    await time.advance(10);
    expect(arrived).toEqual(numbers(100));
    expect(lost).toEqual([]);
  });

  it("lose, double and reorder messages as often as they are told to", async () => {
    const { time, wires, arrived, lost, send } = wiring({ loss: 0.1, duplication: 0.1, reordering: 0.1 });
    send(1_000);
    await time.advance(1_000);
    for (const count of [wires.counts.lost, wires.counts.doubled, wires.counts.overtaken])
      expect(count).toBeGreaterThan(50);
    expect(lost.length).toBe(wires.counts.lost);
    expect(new Set(arrived).size).toBe(1_000 - lost.length);
    expect(arrived.length).toBe(1_000 - lost.length + wires.counts.doubled);
    expect(arrived).not.toEqual(arrived.toSorted((left, right) => left - right));
  });

  it("neither double nor reorder what goes over a connection, and lose it only if that breaks", async () => {
    const calm = wiring({ loss: 0.5, duplication: 0.5, reordering: 0.5 });
    calm.send(200, true);
    await calm.time.advance(1_000);
    expect(calm.arrived).toEqual(numbers(200));
    const breaking = wiring({ breaking: 0.2 });
    breaking.send(200, true);
    await breaking.time.advance(1_000);
    expect(breaking.lost.length).toBeGreaterThan(10);
    expect(breaking.lost[0]).toMatch(/lost$/);
  });

  it("let nothing pass a blocked route, not even what is on its way, and all of it in the other direction", async () => {
    const { time, wires, arrived, lost, send } = wiring({ delayMs: [5, 5] });
    send(1);
    await time.advance(1);
    wires.block(route);
    send(1);
    const back: string[] = [];
    wires.send({ from: "b", to: "a", deliver: () => back.push("back") });
    await time.advance(10);
    expect(arrived).toEqual([]);
    expect(lost).toEqual(["0 blocked", "0 blocked"]);
    expect(back).toEqual(["back"]);
    wires.unblockAll();
    expect(wires.openedMs(route)).toBe(time.monotonicMs());
    send(1);
    await time.advance(10);
    expect(arrived).toEqual([0]);
  });

  it("treat a link that was set apart as it was told", async () => {
    const { time, wires, arrived, lost, send } = wiring();
    wires.configureLink(route, { loss: 1 });
    send(3);
    wires.send({ from: "b", to: "a", deliver: () => arrived.push(99) });
    await time.advance(10);
    expect(arrived).toEqual([99]);
    expect(lost.length).toBe(3);
  });

  it("do the same for the same seed", async () => {
    const settings = { loss: 0.1, duplication: 0.1, reordering: 0.3 };
    const runs = [7, 7, 8].map((seed) => wiring(settings, seed));
    for (const { send, time } of runs) {
      send(300);
      await time.advance(1_000);
    }
    const [first, second, other] = runs.map(({ arrived }) => arrived);
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
  });
});
