import fc from "fast-check";
import { expect, test } from "vitest";
import { createDeadline, DeadlineQueue } from "./deadline-queue.ts";

test("deadlines fall due in order, at their time and not before", () => {
  const queue = new DeadlineQueue<string>();
  queue.set(createDeadline("second"), 20);
  queue.set(createDeadline("first"), 10);
  queue.set(createDeadline("third"), 30);

  expect(queue.takeDue(9, 10)).toEqual([]);
  expect(queue.takeDue(20, 10)).toEqual(["first", "second"]);
  expect(queue.takeDue(1_000, 10)).toEqual(["third"]);
  expect(queue.size).toBe(0);
});

test("takeDue() leaves what is above the limit for the next call", () => {
  const queue = new DeadlineQueue<number>();
  for (const owner of [3, 1, 2]) queue.set(createDeadline(owner), owner);

  expect(queue.takeDue(5, 2)).toEqual([1, 2]);
  expect(queue.takeDue(5, 2)).toEqual([3]);
});

test("a deadline can be moved to an earlier and to a later time", () => {
  const queue = new DeadlineQueue<string>();
  const moved = createDeadline("moved");
  queue.set(createDeadline("fixed"), 10);

  queue.set(moved, 20);
  queue.set(moved, 5);
  expect(queue.takeDue(5, 10)).toEqual(["moved"]);

  queue.set(moved, 5);
  queue.set(moved, 20);
  expect(queue.takeDue(19, 10)).toEqual(["fixed"]);
  expect(queue.takeDue(20, 10)).toEqual(["moved"]);
});

test("a removed deadline leaves nothing behind and can be set again", () => {
  const queue = new DeadlineQueue<string>();
  const deadline = createDeadline("again");
  queue.set(deadline, 1_000_000_000);
  queue.remove(deadline);
  queue.remove(deadline);
  expect(queue.size).toBe(0);

  queue.set(deadline, 1);
  expect(queue.takeDue(1, 1)).toEqual(["again"]);
});

test("clear() takes out everything", () => {
  const queue = new DeadlineQueue<string>();
  const deadline = createDeadline("cleared");
  queue.set(deadline, 1);
  queue.clear();
  expect(queue.takeDue(10, 10)).toEqual([]);

  queue.set(deadline, 2);
  expect(queue.takeDue(10, 10)).toEqual(["cleared"]);
});

test("any sequence of moves and removals gives what a sorted list gives", () => {
  const owner = fc.nat({ max: 30 });
  const move = fc.oneof(
    fc.record({ kind: fc.constant("set" as const), owner, at: fc.nat({ max: 100 }) }),
    fc.record({ kind: fc.constant("remove" as const), owner }),
    fc.record({ kind: fc.constant("take" as const), at: fc.nat({ max: 100 }), limit: fc.nat({ max: 5 }) }),
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200, size: "max" }), (moves) => {
      const queue = new DeadlineQueue<number>();
      const deadlines = Array.from({ length: 31 }, (_, index) => createDeadline(index));
      const model = new Map<number, number>();
      for (const step of moves) {
        if (step.kind === "take") {
          const expected = [...model.values()].filter((at) => at <= step.at).sort((left, right) => left - right);
          const taken = queue.takeDue(step.at, step.limit);
          expect(taken.map((index) => model.get(index))).toEqual(expected.slice(0, step.limit));
          for (const index of taken) model.delete(index);
        } else {
          const deadline = deadlines[step.owner];
          if (deadline === undefined) continue;
          if (step.kind === "set") queue.set(deadline, step.at);
          else queue.remove(deadline);
          if (step.kind === "set") model.set(step.owner, step.at);
          else model.delete(step.owner);
        }
        expect(queue.size).toBe(model.size);
      }
    }),
  );
});
