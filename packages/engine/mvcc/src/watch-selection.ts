import type { StoreEvent } from "./store-event.ts";
import { WatchEvent } from "./watch-event.ts";
import type { EventForm } from "./watcher.ts";
import type { RangeWatchers, WatcherGroup } from "./watcher-group.ts";

/** Some events in order, made ready once for every form in which they are wanted. */
export class EventSelection {
  readonly #events: readonly StoreEvent[];
  readonly #made = new Map<EventForm, WatchEvent[]>();

  constructor(events: readonly StoreEvent[]) {
    this.#events = events;
  }

  /** The events of a form; the array is shared by all who ask for it. */
  inForm(form: EventForm): WatchEvent[] {
    const made = this.#made.get(form);
    if (made !== undefined) return made;
    const wanted = this.#events.filter(({ type }) => (type === "put" ? form.puts : form.deletes));
    const events = wanted.map((event) => new WatchEvent(event, { withPrevious: form.previous }));
    this.#made.set(form, events);
    return events;
  }

  /** The events of a form from a revision on. */
  inFormFrom(form: EventForm, revision: number): WatchEvent[] {
    const events = this.inForm(form);
    const [first] = events;
    if (first === undefined || first.modRevision >= revision) return events;
    return events.filter(({ modRevision }) => modRevision >= revision);
  }
}

/** Which of the events, given in order, each range of a group holds. Ranges that hold none are left out. */
export function selectEvents(group: WatcherGroup, events: readonly StoreEvent[]): Map<RangeWatchers, EventSelection> {
  const held = new Map<RangeWatchers, StoreEvent[]>();
  for (const event of events) {
    group.visit(event.key, (watchers) => {
      const list = held.get(watchers);
      if (list === undefined) held.set(watchers, [event]);
      else list.push(event);
    });
  }
  const whole = new EventSelection(events); // Shared by all ranges that hold everything.
  const selections = new Map<RangeWatchers, EventSelection>();
  for (const [watchers, list] of held)
    selections.set(watchers, list.length === events.length ? whole : new EventSelection(list));
  return selections;
}
