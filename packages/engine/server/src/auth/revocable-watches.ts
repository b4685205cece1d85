import type { AuthStore } from "@conclave/auth";
import type { WatchSink } from "@conclave/mvcc";
import type { ServerCall } from "@conclave/rpc";
import type { WatchFeed } from "../apply/watch-feed.ts";
import type { OpenedWatches, WatchOpener } from "../services/watch-responses.ts";
import type { AccessControl } from "./access-control.ts";
import { WatchPermits } from "./watch-permits.ts";

/** What watches are opened with. */
export interface RevocableWatchesParts {
  readonly access: AccessControl;
  readonly auth: AuthStore;
  readonly feed: WatchFeed;
}

/**
 * Watches that the member itself opens to serve a call. They show no more than the call's user may read: once he may
 * not, they are cancelled.
 */
export class RevocableWatches {
  readonly #parts: RevocableWatchesParts;

  constructor(parts: RevocableWatchesParts) {
    this.#parts = parts;
  }

  /**
   * Where watches for a call are opened.
   *
   * @throws WireError `InvalidAuthToken`
   */
  async for(call: ServerCall): Promise<WatchOpener> {
    const { access } = this.#parts;
    const { username } = access.enabled ? await access.identify(call) : access.byCertificate(call);
    return { open: (sink) => this.#open(sink, { call, username }) };
  }

  #open(sink: WatchSink, { call, username }: { readonly call: ServerCall; readonly username: string }): OpenedWatches {
    const { access, auth, feed } = this.#parts;
    const permits = new WatchPermits(access, auth, call);
    const stream = feed.open({
      send: (response) => {
        permits.onResponse(response);
        return sink.send(response);
      },
    });
    const cancelRevoked = (): void => {
      for (const [watchId, reason] of permits.revoked()) stream.cancel(watchId, reason);
    };
    const stopListening = auth.onChange(cancelRevoked);
    return {
      create(request) {
        permits.allowUser(username, request);
        stream.create(request);
        cancelRevoked();
      },
      resume: () => stream.resume(),
      close() {
        stopListening();
        feed.close(stream);
      },
    };
  }
}
