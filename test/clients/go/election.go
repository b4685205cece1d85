package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

// stand is a candidate of the election "interop": it says when it leads, and resigns at the next line of its input.
func stand(ctx context.Context, client *clientv3.Client) {
	session := session(client)
	election := concurrency.NewElection(session, "interop")
	must(election.Campaign(ctx, "go"))
	must(election.Proclaim(ctx, "go leads"))
	fmt.Println("leads")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	must(election.Resign(ctx))
	must(session.Close())
	fmt.Println("resigned")
}
