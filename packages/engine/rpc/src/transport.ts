/**
 * @module The port between gRPC and what carries it. A transport accepts connections, cuts them into HTTP/2
 * streams and gives each to an {@link AcceptStream}; everything that is gRPC stands above this line, so that a
 * faster transport replaces only what is below.
 */

import type { Socket } from "node:net";

/** Header fields by lower-case name. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Header fields to be sent. */
export type OutgoingFields = Readonly<Record<string, string | number>>;

/** The certificate that a client has shown and proved to hold; whoever accepted the connection has verified it. */
export interface ClientCertificate {
  /** The common name of its subject; empty if it has none. */
  readonly commonName: string;
  /** Its serial number in upper-case hexadecimal, for log lines. */
  readonly serialNumber: string;
}

/** Encrypts connections; each is given back once its client is verified, or ended. */
export interface TlsAcceptor {
  /** Shakes hands on a connection whose first bytes have been put back. */
  secure(socket: Socket): void;
}

/** A connection that is encrypted. */
export interface SecuredConnection {
  /** What was decrypted is read here. */
  readonly socket: Socket;
  /** The verified certificate of the client, if one is asked for. */
  readonly certificate?: ClientCertificate;
}

/** What `https` and `unixs` URLs need. */
export interface TlsServer {
  /**
   * Makes an acceptor.
   *
   * @param onSecured - takes each connection whose client is verified
   */
  acceptor(onSecured: (connection: SecuredConnection) => void): TlsAcceptor;
}

/** The other end of a connection. */
export interface Peer {
  /** `host:port`, or `@` for a unix socket. */
  readonly address: string;
  /** The verified certificate of the client; absent on a plaintext connection and where none is asked for. */
  readonly certificate?: ClientCertificate;
}

/** What a request begins with. */
export interface RequestHead {
  /** All header fields, pseudo-headers such as `:path` included. */
  readonly headers: HeaderFields;
  /** Where it comes from. */
  readonly peer: Peer;
}

/** One HTTP/2 stream as gRPC uses it. After {@link end}, {@link respondAll} or {@link reject} only reading is left. */
export interface TransportStream {
  /** Sends the response's header fields. */
  respond(headers: OutgoingFields): void;
  /** Sends some bytes; the transport keeps them, the caller must not change them afterwards. */
  write(bytes: Uint8Array): void;
  /** Ends the response, and the stream if the client has not ended its half. */
  end(trailers: OutgoingFields): void;
  /** A whole response at once: {@link respond}, {@link write} and {@link end}. */
  respondAll(headers: OutgoingFields, bytes: Uint8Array, trailers: OutgoingFields): void;
  /** A response without a body: the header fields are the trailers ("Trailers-Only"). */
  reject(headers: OutgoingFields): void;
  /** Bytes written that the socket has not taken. */
  readonly bufferedBytes: number;
  /** Stops reading; flow control then stops the client. */
  pause(): void;
  /** Reads on. */
  resume(): void;
}

/** What becomes of a stream's events. Nothing is called after {@link onClose}. */
export interface StreamReceiver {
  /** Bytes of the request's body arrived. They stay valid and unchanged. */
  onData(bytes: Uint8Array): void;
  /** The client has ended its half. */
  onEnd(): void;
  /** Everything written has left. */
  onDrain(): void;
  /** The stream is gone: it ended, was reset, or its connection was lost. */
  onClose(): void;
}

/** Takes a new stream. */
export type AcceptStream = (stream: TransportStream, head: RequestHead) => StreamReceiver;
