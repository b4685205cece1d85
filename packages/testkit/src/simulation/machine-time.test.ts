import { describe, expect, it } from "vitest";
import { virtualTime } from "../virtual-time.ts";
import { MachineTime } from "./machine-time.ts";

describe("MachineTime", () => {
  it("runs too fast: its timers fire early for everybody else, and never early by its own clock", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time, { rate: 1.25, startMs: 1_000 });
    const fired: number[][] = [];
    machine.after(100, () => fired.push([time.monotonicMs(), machine.monotonicMs()]));
    await time.advance(200);
    expect(fired).toEqual([[80, 1_100]]);
    expect(machine.monotonicMs()).toBe(1_250);
  });

  it("fires later what waits when its clock is slowed", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time);
    const fired: number[] = [];
    machine.after(100, () => fired.push(time.monotonicMs()));
    await time.advance(50);
    machine.drift(0.5);
    await time.advance(200);
    expect(fired).toEqual([150]);
  });

  it("lets its wall clock be set without a trace in the monotonic one", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time, { wallAheadMs: 500 });
    expect(machine.wallMs() - time.wallMs()).toBe(500);
    machine.jumpWall(-3_600_000);
    expect(machine.wallMs() - time.wallMs()).toBe(500 - 3_600_000);
    expect(machine.monotonicMs()).toBe(0);
  });

  it("holds in a pause what comes due and what arrives, and does it in one turn afterwards", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time);
    const happened: string[] = [];
    machine.after(10, () => {
      happened.push("timer");
      machine.atTurnEnd(() => happened.push("turn end"));
    });
    machine.pause();
    machine.atTurnEnd(() => happened.push("end of the turn before"));
    await time.advance(20);
    machine.deliver(() => happened.push("arrival"));
    machine.after(100, () => expect.unreachable("not due"));
    await time.advance(20);
    expect(happened).toEqual([]);
    machine.resume();
    await time.settle();
    expect(happened).toEqual([]);
    await time.advance(0);
    expect(happened).toEqual(["timer", "arrival", "end of the turn before", "turn end"]);
  });

  it("does nothing more of what a killed process waited for, and lets the next one live", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time);
    machine.after(10, () => expect.unreachable());
    machine.atTurnEnd(() => expect.unreachable());
    const late = machine.bind(() => expect.unreachable());
    machine.kill();
    late();
    const fired: string[] = [];
    machine.after(10, () => fired.push("next life"));
    await time.advance(10);
    expect(fired).toEqual(["next life"]);
  });

  it("lets nothing begin that a killed process still asks for", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time);
    const killed = machine.process();
    machine.kill();
    const next = machine.process();
    killed.after(1, () => expect.unreachable()).cancel();
    killed.after(1, () => expect.unreachable());
    killed.atTurnEnd(() => expect.unreachable());
    killed.deliver(() => expect.unreachable());
    killed.bind(() => expect.unreachable())();
    void killed.sleep(1).then(() => expect.unreachable());
    let fired = 0;
    next.after(1, () => fired++);
    next.deliver(() => fired++);
    await time.advance(10);
    expect([fired, killed.isAlive, next.isAlive]).toEqual([2, false, true]);
    expect(killed.monotonicMs()).toBe(10);
  });

  it("forgets a cancelled timer, also one that was armed again or held", async () => {
    const time = virtualTime();
    const machine = new MachineTime(time);
    const slowed = machine.after(10, () => expect.unreachable());
    const held = machine.after(10, () => expect.unreachable());
    machine.drift(0.5);
    await time.advance(15);
    slowed.cancel();
    machine.pause();
    await time.advance(15);
    held.cancel();
    machine.resume();
    await time.advance(10);
  });
});
