/** @module Command lines that no member starts with, each with what the refusal must name. */

/** A command line that is refused. */
export interface WrongCommandLine {
  /** The arguments; `$FILE` stands for a file with {@link WrongCommandLine.file}. */
  readonly args: readonly string[];
  /** Variables of the environment. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Contents of the configuration file. Default: there is none. */
  readonly file?: string;
  /** What Conclave's line names: the option and the value. */
  readonly names: readonly string[];
  /** Versions of etcd that start all the same. Default: none does. */
  readonly takenBy?: readonly ("3.4" | "3.5")[];
}

const url = "http://127.0.0.1:1";
const discovery = "https://discovery.invalid/token";
const oldFlags = ["-addr", "-bind-addr", "-peer-addr", "-peers", "-peers-file", "-ca-file", "-peer-election-timeout"];

/** Invalid values, as `--flag=value`. */
const invalidValues: readonly string[] = [
  "--heartbeat-interval=soon",
  "--heartbeat-interval=-5",
  "--heartbeat-interval=0",
  "--election-timeout=0",
  "--election-timeout=400",
  "--election-timeout=60000",
  "--election-timeout=1s",
  "--snapshot-count=many",
  "--snapshot-count=-1",
  "--max-snapshots=-1",
  "--max-wals=x",
  "--max-txn-ops=-1",
  "--max-request-bytes=1MB",
  "--max-concurrent-streams=-1",
  "--quota-backend-bytes=2GB",
  "--backend-batch-interval=100",
  "--backend-batch-limit=1.5",
  "--grpc-keepalive-min-time=5",
  "--grpc-keepalive-interval=2 hours",
  "--grpc-keepalive-timeout=forever",
  "--initial-election-tick-advance=perhaps",
  "--pre-vote=yes",
  "--strict-reconfig-check=2",
  "--force-new-cluster=maybe",
  "--initial-cluster-state=old",
  "--auto-compaction-mode=daily",
  "--auto-compaction-retention=soon",
  "--client-cert-auth=on",
  "--peer-auto-tls=on",
  "--bcrypt-cost=strong",
  "--auth-token-ttl=5m",
  "--listen-metrics-urls=127.0.0.1:1",
  "--listen-peer-urls=http://peer.example.com:1",
  "--listen-peer-urls=127.0.0.1:2380",
  "--listen-peer-urls=http://127.0.0.1",
  "--listen-peer-urls=ftp://127.0.0.1:1",
  "--listen-peer-urls=http://127.0.0.1:1/path",
  "--initial-advertise-peer-urls=http://127.0.0.1:1/path",
  "--initial-advertise-peer-urls=127.0.0.1:2380",
  "--advertise-client-urls=127.0.0.1:2379",
  "--experimental-corrupt-check-time=daily",
  "--experimental-watch-progress-notify-interval=10",
  "--discovery-fallback=perhaps",
  "--log-outputs=default,stderr",
];

/** All of them, by what they say. */
export const wrongCommandLines: readonly WrongCommandLine[] = [
  ...invalidValues.map((arg): WrongCommandLine => {
    const [flag = "", value = ""] = arg.split("=");
    return { args: [arg], names: [flag, value] };
  }),
  {
    args: ["--listen-client-urls=http://db.example.com:1", `--advertise-client-urls=${url}`],
    names: ["--listen-client-urls", "db.example.com"],
  },
  { args: [`--listen-client-urls=${url}`], names: ["--advertise-client-urls", "--listen-client-urls"] },
  // Its value may hold a secret, and is not shown.
  { args: ["--auth-token=cookie"], names: ["--auth-token", "simple", "jwt"] },
  { args: ["--heartbeat-interval=300"], names: ["--election-timeout", "1000", "300"] },
  { args: ["--no-such-flag=1"], names: ["--no-such-flag"] },
  { args: ["--name"], names: ["--name"] },
  { args: ["stray"], names: ["stray"] },
  { args: ["--pre-vote", "false"], names: ["false"] },
  { args: ["--=x"], names: ["--=x"] },
  {
    args: ["--discovery-srv=example.com", "--initial-cluster=default=http://localhost:2380"],
    names: ["--initial-cluster", "--discovery-srv"],
  },
  {
    args: [`--discovery=${discovery}`, "--discovery-srv=example.com"],
    names: ["--discovery", discovery, "--discovery-token"],
  },
  { args: ["--proxy=maybe"], names: ["--proxy", "maybe", "grpc-proxy"] },
  { args: ["--proxy=on"], names: ["--proxy", "on", "grpc-proxy"], takenBy: ["3.4", "3.5"] },
  { args: ["--enable-v2"], names: ["--enable-v2", "true", "v3"], takenBy: ["3.4", "3.5"] },
  { args: ["--cors=example.com"], names: ["--cors", "example.com"] },
  {
    args: ["--experimental-enable-lease-checkpoint=false", "--experimental-enable-lease-checkpoint-persist"],
    names: ["--experimental-enable-lease-checkpoint-persist", "true"],
  },
  { args: ["--enable-log-rotation"], names: ["--log-outputs", "default"] },
  {
    args: ["--enable-log-rotation", "--log-outputs=a.log", "--log-rotation-config-json={"],
    names: ["--log-rotation-config-json", "{"],
  },
  { args: ["--tls-min-version=TLS1.1"], names: ["--tls-min-version", "TLS1.1"] },
  { args: ["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"], names: ["--tls-min-version", "TLS1.3", "TLS1.2"] },
  { args: ["--logger=capnslog-ng"], names: ["--logger", "capnslog-ng"] },
  { args: ["--log-level=loud", "--logger=zap"], names: ["--log-level", "loud"] },
  { args: [], env: { ETCD_ELECTION_TIMEOUT: "soon" }, names: ["ETCD_ELECTION_TIMEOUT", "soon"] },
  { args: [], env: { ETCD_LISTEN_PEER_URLS: "nonsense" }, names: ["ETCD_LISTEN_PEER_URLS", "nonsense"] },
  { args: ["--config-file=/no/such/file.yaml"], names: ["/no/such/file.yaml"] },
  { args: ["--config-file=$FILE"], file: "name: [", names: ["$FILE"] },
  { args: ["--config-file=$FILE"], file: "- a list\n", names: ["$FILE"] },
  { args: ["--config-file=$FILE"], file: "heartbeat-interval: soon\n", names: ["heartbeat-interval", "soon"] },
  { args: ["--config-file=$FILE"], file: "heartbeat-interval: 300\n", names: ["--election-timeout", "300"] },
  { args: ["--config-file=$FILE"], file: "initial-cluster-state: old\n", names: ["initial-cluster-state", "old"] },
  { args: ["--config-file=$FILE"], file: "peer-transport-security: yes\n", names: ["peer-transport-security"] },
  {
    args: ["--config-file=$FILE"],
    file: "client-transport-security:\n  client-cert-auth: on demand\n",
    names: ["client-cert-auth", "on demand"],
  },
  { args: ["--config-file=$FILE"], file: "listen-peer-urls: nonsense\n", names: ["listen-peer-urls", "nonsense"] },
  ...oldFlags.map((flag): WrongCommandLine => ({ args: [flag, "x"], names: [flag] })),
];
