package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
	"go.etcd.io/etcd/clientv3/namespace"
	"go.etcd.io/etcd/mvcc/mvccpb"
)

func show(kvs []*mvccpb.KeyValue) {
	for _, kv := range kvs {
		fmt.Printf("  %s = %q created %d modified %d version %d\n", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version)
	}
}

func kv(ctx context.Context, client *clientv3.Client) {
	reading(ctx, client)
	transactions(ctx, client)
	limits(ctx, client)
}

func reading(ctx context.Context, client *clientv3.Client) {
	for _, name := range []string{"a", "b", "c", "b"} {
		put, err := client.Put(ctx, "kv/"+name, "value of "+name, clientv3.WithPrevKV())
		must(err)
		fmt.Println("put", name, "had a value before:", put.PrevKv != nil)
	}
	_, err := client.Put(ctx, "kv/binary", "\x00\xff\n")
	must(err)
	for _, options := range [][]clientv3.OpOption{
		{clientv3.WithPrefix()},
		{clientv3.WithPrefix(), clientv3.WithLimit(2), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend)},
		{clientv3.WithPrefix(), clientv3.WithCountOnly()},
		{clientv3.WithPrefix(), clientv3.WithRev(3), clientv3.WithKeysOnly()},
		{clientv3.WithFromKey(), clientv3.WithSerializable()},
	} {
		got, err := client.Get(ctx, "kv/", options...)
		must(err)
		fmt.Println("get: count", got.Count, "more", got.More)
		show(got.Kvs)
	}
	deleted, err := client.Delete(ctx, "kv/b", clientv3.WithRange("kv/d"), clientv3.WithPrevKV())
	must(err)
	fmt.Println("deleted", deleted.Deleted)
	show(deleted.PrevKvs)
	inside := namespace.NewKV(client, "kv/")
	got, err := inside.Get(ctx, "a")
	must(err)
	show(got.Kvs)
}

func transactions(ctx context.Context, client *clientv3.Client) {
	for attempt := 0; attempt < 2; attempt++ {
		answer, err := client.Txn(ctx).
			If(clientv3.Compare(clientv3.Version("txn"), "=", 0), clientv3.Compare(clientv3.Value("kv/a"), "!=", "x")).
			Then(clientv3.OpPut("txn", "first"), clientv3.OpGet("kv/", clientv3.WithPrefix())).
			Else(clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpDelete("txn"), clientv3.OpGet("txn")}, nil)).
			Commit()
		must(err)
		fmt.Println("txn succeeded:", answer.Succeeded, "operations:", len(answer.Responses))
	}
	_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
		stm.Put("stm", stm.Get("kv/a")+" seen")
		return nil
	})
	must(err)
	got, err := client.Get(ctx, "stm")
	must(err)
	show(got.Kvs)
}

func limits(ctx context.Context, client *clientv3.Client) {
	_, err := client.Put(ctx, "", "no key")
	fmt.Println("put without a key:", err)
	_, err = client.Put(ctx, "kv/large", string(make([]byte, 1_700_000)))
	fmt.Println("put of 1.7 MB:", err)
	_, err = client.Get(ctx, "kv/a", clientv3.WithRev(1_000_000))
	fmt.Println("get of the future:", err)
	_, err = client.Put(ctx, "kv/a", "", clientv3.WithLease(77))
	fmt.Println("put with a lease that is none:", err)
	_, err = client.Txn(ctx).Then(clientv3.OpPut("twice", ""), clientv3.OpPut("twice", "")).Commit()
	fmt.Println("txn with a key twice:", err)
}

func putAndGet(ctx context.Context, client *clientv3.Client) {
	_, err := client.Put(ctx, "safe", "yes")
	must(err)
	got, err := client.Get(ctx, "safe")
	must(err)
	show(got.Kvs)
}
