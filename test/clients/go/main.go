// Drives an etcd-compatible server through etcd's own Go client, and prints what it saw: the same on every server.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/pkg/transport"
)

const patience = 20 * time.Second

var scenarios = map[string]func(context.Context, clientv3.Config){
	"kv":          withClient(kv),
	"lease":       withClient(lease),
	"watch":       withClient(watch),
	"concurrency": withClient(concurrent),
	"auth":        auth,
	"tls":         withClient(putAndGet),
	"failover":    withClient(failover),
	"stand":       withClient(stand),
	"readwrite":   withClient(readWrite),
}

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "addresses, separated by commas")
	files := transport.TLSInfo{}
	flag.StringVar(&files.TrustedCAFile, "cacert", "", "authority of the server's certificate")
	flag.StringVar(&files.CertFile, "cert", "", "certificate of this client")
	flag.StringVar(&files.KeyFile, "key", "", "key of the certificate")
	flag.Parse()

	config := clientv3.Config{Endpoints: strings.Split(*endpoints, ","), DialTimeout: patience, TLS: encryption(files)}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for _, name := range flag.Args() {
		fmt.Printf("== %s\n", name)
		scenarios[name](ctx, config)
	}
}

func encryption(files transport.TLSInfo) *tls.Config {
	if files.TrustedCAFile == "" {
		return nil
	}
	config, err := files.ClientConfig()
	must(err)
	return config
}

func withClient(scenario func(context.Context, *clientv3.Client)) func(context.Context, clientv3.Config) {
	return func(ctx context.Context, config clientv3.Config) {
		client := connect(config)
		defer client.Close()
		scenario(ctx, client)
	}
}

func connect(config clientv3.Config) *clientv3.Client {
	client, err := clientv3.New(config)
	must(err)
	return client
}

// must ends the program at an error that no scenario expects.
func must(err error) {
	if err != nil {
		log.SetFlags(log.Lshortfile)
		_ = log.Output(2, err.Error())
		os.Exit(1)
	}
}
