/** @module Host names that only the processes of a test know, by a DNS server of its own. */
import { type DnsRecords, type DnsServer, startDnsServer } from "@conclave/testkit";

/** Host names of a test. Disposing of them ends their DNS server. */
export interface NamedHosts extends AsyncDisposable {
  /** What a process must have in its environment to ask this DNS server and no other. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a DNS server that knows these records, and makes Node processes ask it, also where they connect. */
export async function nameHosts(records: DnsRecords): Promise<NamedHosts> {
  const dns: DnsServer = await startDnsServer(records);
  const preload = `--import=data:text/javascript,${encodeURIComponent(preloadOf(dns.address))}`;
  return { env: { NODE_OPTIONS: preload }, [Symbol.asyncDispose]: () => dns[Symbol.asyncDispose]() };
}

/** The system's resolver does not ask the servers that Node is told of: names with a dot are looked up by Node's own. */
function preloadOf(address: string): string {
  return `
    import dns from "node:dns";
    import { syncBuiltinESMExports } from "node:module";
    dns.setServers(["${address}"]);
    const isName = (host) => /[a-z]$/.test(host) && host.includes(".");
    const { lookup } = dns;
    dns.lookup = (host, options, done) => {
      const callback = typeof options === "function" ? options : done;
      if (!isName(host)) return lookup(host, options, done);
      dns.resolve4(host, (error, addresses = []) => {
        if (error) callback(error);
        else if (options?.all === true) callback(null, addresses.map((address) => ({ address, family: 4 })));
        else callback(null, addresses[0], 4);
      });
    };
    const lookupPromise = dns.promises.lookup;
    dns.promises.lookup = async (host, options) => {
      if (!isName(host)) return lookupPromise(host, options);
      const [address = ""] = await dns.promises.resolve4(host);
      return { address, family: 4 };
    };
    dns.promises.setServers(["${address}"]);
    syncBuiltinESMExports();`;
}
