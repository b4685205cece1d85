/** @module A DNS server on loopback for tests of what asks DNS. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Answer, decode, encode, type Question } from "dns-packet";

/** What a test's DNS server knows. */
export interface DnsRecords {
  /** Targets of SRV queries by the full name of the service, such as `_etcd-server._tcp.example.test`. */
  readonly srv: Readonly<Record<string, readonly { readonly name: string; readonly port: number }[]>>;
  /** IPv4 addresses by host name. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** A running DNS server. */
export interface DnsServer extends AsyncDisposable {
  /** Where it answers, as `setServers` of `node:dns` takes it. */
  readonly address: string;
}

const nameErrorFlag = 3;

/** Starts a DNS server on a free port of 127.0.0.1 that answers over UDP; it says NXDOMAIN to what it does not know. */
export async function startDnsServer(records: DnsRecords): Promise<DnsServer> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { address, port }) => {
    const { id, questions = [] } = decode(message);
    const answers = questions.flatMap((question) => answersTo(question, records));
    const flags = answers.length === 0 ? nameErrorFlag : 0;
    socket.send(encode({ type: "response", id: id ?? 0, flags, questions, answers }), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { address: `127.0.0.1:${socket.address().port}`, [Symbol.asyncDispose]: () => close(socket) };
}

function answersTo({ type, name }: Question, { srv, addresses }: DnsRecords): Answer[] {
  const address = addresses[name];
  if (type === "A" && address !== undefined) return [{ type, name, ttl: 1, data: address }];
  if (type !== "SRV") return [];
  return (srv[name] ?? []).map((target) => {
    return { type, name, ttl: 1, data: { target: target.name, port: target.port, priority: 0, weight: 0 } };
  });
}

async function close(socket: Socket): Promise<void> {
  socket.close();
  await once(socket, "close");
}
