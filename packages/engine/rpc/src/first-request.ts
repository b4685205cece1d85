/**
 * @module Looks at the first request of an HTTP/2 connection before `node:http2` has it: a client that puts a URL in
 * the place of an authority would be refused by nghttp2 (see `header-authority.ts`). Its connection is led through a
 * stream that mends what it sends; all others are handed over as they are.
 *
 * Many clients send nothing before they have seen the server's settings. They are sent them from here, and
 * their acknowledgement is taken out again: `node:http2`, which sends its own, has not asked for it.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import {
  type AnnouncedSettings,
  type Frame,
  frameTypes,
  headerBlockOf,
  isSettingsAck,
  settingsFrame,
  takeFrames,
} from "./frame-scanner.ts";
import { mendAuthority } from "./header-authority.ts";

/** Every connection begins so (RFC 9113 §3.4). */
const prefaceBytes = 24;
/** A client that has acknowledged settings and says nothing for so long has no request yet. */
const requestPatienceMs = 100;
/** A client that has not acknowledged settings after so long is served all the same, a little slower. */
const ackPatienceMs = 1_000;
/** As much as a client may send ahead of the server's settings, and some requests. */
const seenBytesMax = 256 * 1024;

/** How a first request is awaited. */
export interface FirstRequestOptions {
  /** What `node:http2` will announce too. */
  readonly settings: AnnouncedSettings;
  /** Takes the connection: the socket itself, or a stream in front of it. Not called if the client leaves. */
  readonly onReady: (connection: Duplex) => void;
}

/**
 * Waits for the first request, or for a sign that there is none yet.
 *
 * @param socket - a connection that is paused, with nothing read from it, and will begin with the preface
 */
export function awaitFirstRequest(socket: Socket, { settings, onReady }: FirstRequestOptions): void {
  let seen: Buffer = Buffer.alloc(0);
  let asked = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("error", ignore).off("close", stop);
  };
  const onEnd = (): void => void socket.destroy();
  function finish(): void {
    stop();
    socket.pause();
    onReady(handOver(socket, seen, asked));
  }
  function onData(bytes: Buffer): void {
    seen = Buffer.concat([seen, bytes]);
    const { frames, isSound } = takeFrames(seen.subarray(prefaceBytes));
    const acknowledged = frames.some(isSettingsAck);
    const toldEnough = frames.some(isRequestOrOther) && (!asked || acknowledged);
    if (toldEnough || !isSound || seen.length > seenBytesMax) {
      finish();
      return;
    }
    if (!asked) socket.write(settingsFrame(settings));
    asked = true;
    clearTimeout(timer);
    timer = setTimeout(finish, acknowledged ? requestPatienceMs : ackPatienceMs);
  }
  socket.on("data", onData).on("end", onEnd).on("error", ignore).on("close", stop).resume();
}

/** Anything but what clients send before they have something to say. */
function isRequestOrOther({ type }: Frame): boolean {
  return type !== frameTypes.settings && type !== frameTypes.windowUpdate;
}

/** Gives back what was read, and decides who reads on. */
function handOver(socket: Socket, seen: Buffer, asked: boolean): Duplex {
  const { frames, rest } = takeFrames(seen.subarray(prefaceBytes));
  const acknowledged = frames.find(isSettingsAck);
  const hasUrl = frames.some(mendIfHeaders);
  if (hasUrl || (asked && acknowledged === undefined)) {
    socket.unshift(seen);
    return new MendedConnection(socket, asked);
  }
  const kept = asked ? frames.filter((frame) => frame !== acknowledged) : frames;
  socket.unshift(Buffer.concat([seen.subarray(0, prefaceBytes), ...kept.map(({ bytes }) => bytes), rest]));
  return socket;
}

function mendIfHeaders(frame: Frame): boolean {
  return frame.type === frameTypes.headers && mendAuthority(headerBlockOf(frame));
}

/** A connection in which authorities are mended and one acknowledgement of settings is left out. */
class MendedConnection extends Duplex {
  readonly #socket: Socket;
  #left: Buffer = Buffer.alloc(0);
  #begun = false;
  #leaveOutAck: boolean;

  constructor(socket: Socket, leaveOutAck: boolean) {
    super();
    this.#socket = socket;
    this.#leaveOutAck = leaveOutAck;
    socket.on("data", (bytes: Buffer) => this.#onData(bytes));
    socket.once("end", () => this.push(null));
    socket.on("error", ignore);
    socket.once("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, (error) => done(error ?? null));
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #onData(bytes: Buffer): void {
    this.#left = Buffer.concat([this.#left, bytes]);
    if (!this.#begun) {
      if (this.#left.length < prefaceBytes) return;
      this.#begun = true;
      this.push(this.#left.subarray(0, prefaceBytes));
      this.#left = this.#left.subarray(prefaceBytes);
    }
    const { frames, rest, isSound } = takeFrames(this.#left);
    for (const frame of frames) mendIfHeaders(frame);
    const kept = frames.filter((frame) => !this.#isLeftOut(frame)).map((frame) => frame.bytes);
    if (!isSound) kept.push(rest);
    this.#left = isSound ? rest : Buffer.alloc(0);
    if (kept.length > 0 && !this.push(Buffer.concat(kept))) this.#socket.pause();
  }

  #isLeftOut(frame: Frame): boolean {
    const isIt = this.#leaveOutAck && isSettingsAck(frame);
    if (isIt) this.#leaveOutAck = false;
    return isIt;
  }
}

/** "close" follows, and says all that counts; without a listener an error would end the process. */
function ignore(): void {}
