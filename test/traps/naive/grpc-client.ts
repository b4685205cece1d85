/** @module A bare `@grpc/grpc-js` client with what its users set, or leave, by default. */
import { asBuffer } from "@conclave/base";
import { type ChannelOptions, Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Uint8Array => bytes;

/** Makes a channel. */
export function naiveChannel(endpoint: string, options: ChannelOptions = {}): Client {
  return new Client(endpoint, credentials.createInsecure(), options);
}

/** Makes a call. */
export function naiveCall(channel: Client, path: string, request: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    channel.makeUnaryRequest(path, asBuffer, asIs, request, (error, response) => {
      if (error === null && response !== undefined) resolve(response);
      else reject(error ?? new Error("no response"));
    });
  });
}

/** Opens a stream. */
export function naiveStream(channel: Client, path: string): ClientDuplexStream<Uint8Array, Uint8Array> {
  return channel.makeBidiStreamRequest(path, asBuffer, asIs);
}
