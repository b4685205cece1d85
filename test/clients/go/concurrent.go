package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

func concurrent(ctx context.Context, client *clientv3.Client) {
	one, other := session(client), session(client)
	locks(ctx, one, other)
	elections(ctx, one, other)
}

func session(client *clientv3.Client) *concurrency.Session {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
	must(err)
	return session
}

func locks(ctx context.Context, one, other *concurrency.Session) {
	held, wanted := concurrency.NewMutex(one, "lock/"), concurrency.NewMutex(other, "lock/")
	must(held.Lock(ctx))
	fmt.Println("the key is below the lock:", strings.HasPrefix(held.Key(), "lock/"))
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	fmt.Println("wanted while another holds it:", wanted.Lock(short))
	locked := make(chan error)
	go func() { locked <- wanted.Lock(ctx) }()
	must(held.Unlock(ctx))
	must(<-locked)
	fmt.Println("held by the one that waited")
	must(wanted.Unlock(ctx))
}

// elections lets a second candidate win because the first one's session ends.
func elections(ctx context.Context, one, other *concurrency.Session) {
	first, second := concurrency.NewElection(one, "election"), concurrency.NewElection(other, "election")
	must(first.Campaign(ctx, "one"))
	must(first.Proclaim(ctx, "one, still"))
	observed := second.Observe(ctx)
	fmt.Printf("observed: %s\n", (<-observed).Kvs[0].Value)
	won := make(chan error)
	go func() { won <- second.Campaign(ctx, "other") }()
	must(one.Close())
	must(<-won)
	leader, err := second.Leader(ctx)
	must(err)
	fmt.Printf("leads now: %s\n", leader.Kvs[0].Value)
	must(second.Resign(ctx))
	_, err = second.Leader(ctx)
	fmt.Println("nobody leads:", err)
}
