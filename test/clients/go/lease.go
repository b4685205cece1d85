package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/clientv3"
)

func lease(ctx context.Context, client *clientv3.Client) {
	granted, err := client.Grant(ctx, 5)
	must(err)
	_, err = client.Put(ctx, "lease/kept", "", clientv3.WithLease(granted.ID))
	must(err)
	keptAlive(ctx, client, granted.ID)

	left, err := client.TimeToLive(ctx, granted.ID, clientv3.WithAttachedKeys())
	must(err)
	fmt.Printf("granted %d s, keys %s, some time left: %t\n", left.GrantedTTL, left.Keys, left.TTL > 0)
	_, err = client.Revoke(ctx, granted.ID)
	must(err)
	got, err := client.Get(ctx, "lease/kept")
	must(err)
	fmt.Println("keys after the revoke:", got.Count)
	_, err = client.Revoke(ctx, granted.ID)
	fmt.Println("revoked once more:", err)
	_, err = client.KeepAliveOnce(ctx, granted.ID)
	fmt.Println("kept alive once more:", err)
	expiry(ctx, client)
}

func keptAlive(ctx context.Context, client *clientv3.Client, id clientv3.LeaseID) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, err := client.KeepAlive(ctx, id)
	must(err)
	for answered := 0; answered < 2; answered++ {
		fmt.Println("renewed for", (<-answers).TTL, "s")
	}
}

// expiry waits until a lease ends by itself, and a watch says that its key is gone.
func expiry(ctx context.Context, client *clientv3.Client) {
	short, err := client.Grant(ctx, 2)
	must(err)
	put, err := client.Put(ctx, "lease/short", "", clientv3.WithLease(short.ID))
	must(err)
	events := client.Watch(ctx, "lease/short", clientv3.WithRev(put.Header.Revision+1))
	for _, event := range (<-events).Events {
		fmt.Println("expired:", event.Type, string(event.Kv.Key))
	}
	left, err := client.TimeToLive(ctx, short.ID)
	must(err)
	fmt.Println("time to live of what has ended:", left.TTL)
}
