import { type PeerCall, type PeerCalls, PeerError } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import type { LeaseTimeToLiveRequest } from "@conclave/protocol/etcdserverpb";
import type { Endpoint, NetworkMachine, SimulatedNetwork } from "./simulated-network.ts";

type Answer<R> = (endpoint: Endpoint) => R | Promise<R>;

/** The calls that a machine's member makes to others, over the wires. */
export function createPeerCalls(network: SimulatedNetwork, machine: NetworkMachine): PeerCalls {
  const ask = <R>(call: PeerCall, answer: Answer<R>): Promise<R> => askInTurn(network, machine, { call, answer });
  return {
    members: (call) =>
      ask(call, ({ identity, receiver }) => ({ clusterId: identity.clusterId, members: receiver.members() })),
    version: (call) => ask(call, ({ receiver }) => receiver.version()),
    promote: (call, id) => ask(call, ({ receiver }) => receiver.promote(id)),
    renewLease: (call, id) => ask(call, ({ receiver }) => receiver.renewLease(id)),
    leaseTimeToLive: (call, request: LeaseTimeToLiveRequest) =>
      ask(call, ({ receiver }) => receiver.leaseTimeToLive(request)),
    hashKv: (call, { revision, clusterId }) =>
      ask(call, ({ identity, receiver }) => {
        if (identity.clusterId !== clusterId) throw new PeerError("REFUSED", "The member is of another cluster");
        return receiver.hashKv(revision);
      }),
  };
}

interface Question<R> {
  readonly call: PeerCall;
  readonly answer: Answer<R>;
}

/** Asks one URL after the other until one is answered, be it with an error of the protocol. */
async function askInTurn<R>(network: SimulatedNetwork, machine: NetworkMachine, question: Question<R>): Promise<R> {
  const { urls, timeoutMs } = question.call;
  const deadlineMs = machine.time.monotonicMs() + timeoutMs;
  let failure = new PeerError("UNREACHABLE", "Cannot ask a member without a URL");
  for (const url of urls) {
    const leftMs = deadlineMs - machine.time.monotonicMs();
    if (leftMs <= 0) break;
    try {
      return await ask(network, machine, { url, leftMs, answer: question.answer });
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

interface OneQuestion<R> {
  readonly url: string;
  readonly leftMs: number;
  readonly answer: Answer<R>;
}

function ask<R>(network: SimulatedNetwork, machine: NetworkMachine, question: OneQuestion<R>): Promise<R> {
  const { url, leftMs, answer } = question;
  const { wires } = network.options;
  const to = network.hostOf(url) ?? url;
  return new Promise((resolve, reject) => {
    const unreachable = (why: string) => new PeerError("UNREACHABLE", `No answer from ${url}: ${why}`);
    const timer = machine.time.after(leftMs, () => reject(unreachable("time over")));
    const settle = (end: () => void) => {
      timer.cancel();
      end();
    };
    const broken = machine.time.bind(() => settle(() => reject(unreachable("connection lost"))));
    // What meets a partition is silent: only time tells.
    const onLost = (reason: "lost" | "blocked") => (reason === "lost" ? broken() : undefined);
    const reply = (end: () => void) =>
      wires.send({
        from: to,
        to: machine.name,
        isConnected: true,
        deliver: machine.time.bind(() => settle(end)),
        onLost,
      });
    const deliver = () => {
      const endpoint = network.endpoint(to);
      if (endpoint === undefined) broken();
      else
        endpoint.time.deliver(
          () =>
            void answerTo(endpoint, answer).then(
              (value) => reply(() => resolve(value)),
              (error: unknown) => reply(() => reject(error as Error)),
            ),
        );
    };
    wires.send({ from: machine.name, to, isConnected: true, deliver, onLost });
  });
}

/** What the asked one says: its answer, or an error that can travel. */
async function answerTo<R>(endpoint: Endpoint, answer: Answer<R>): Promise<R> {
  try {
    return await answer(endpoint);
  } catch (error) {
    if (error instanceof WireError || error instanceof PeerError) throw error;
    throw new PeerError("MALFORMED", `The member could not answer: ${String(error)}`, { cause: error });
  }
}
