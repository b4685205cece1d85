package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/clientv3"
)

func watch(ctx context.Context, client *clientv3.Client) {
	first, err := client.Put(ctx, "watch/a", "1")
	must(err)
	begin := first.Header.Revision
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	all := client.Watch(ctx, "watch/", clientv3.WithPrefix(), clientv3.WithRev(begin), clientv3.WithPrevKV())
	deletes := client.Watch(ctx, "watch/", clientv3.WithPrefix(), clientv3.WithRev(begin), clientv3.WithFilterPut())

	_, err = client.Put(ctx, "watch/a", "2")
	must(err)
	_, err = client.Txn(ctx).Then(clientv3.OpPut("watch/b", "3"), clientv3.OpPut("watch/c", "4")).Commit()
	must(err)
	_, err = client.Delete(ctx, "watch/a")
	must(err)

	fmt.Println("every event, with what was there before:")
	follow(all, 5, begin)
	fmt.Println("deletions alone:")
	follow(deletes, 1, begin)
	compacted(ctx, client, begin)
}

// follow prints so many events, with revisions that count from the first write.
func follow(events clientv3.WatchChan, count int, begin int64) {
	for count > 0 {
		answer := <-events
		must(answer.Err())
		for _, event := range answer.Events {
			before := "nothing"
			if event.PrevKv != nil {
				before = string(event.PrevKv.Value)
			}
			at := event.Kv.ModRevision - begin
			fmt.Printf("  +%d %s %s %q, before: %s, created: %t\n", at, event.Type, event.Kv.Key, event.Kv.Value, before, event.IsCreate())
			count--
		}
	}
}

func compacted(ctx context.Context, client *clientv3.Client, begin int64) {
	_, err := client.Compact(ctx, begin+2, clientv3.WithCompactPhysical())
	must(err)
	late := <-client.Watch(ctx, "watch/a", clientv3.WithRev(begin))
	fmt.Printf("watch from before a compaction: %v, canceled %t, go on from +%d\n", late.Err(), late.Canceled, late.CompactRevision-begin)
	_, err = client.Get(ctx, "watch/a", clientv3.WithRev(begin))
	fmt.Println("get from before a compaction:", err)
	_, err = client.Compact(ctx, begin)
	fmt.Println("compaction of what is compacted:", err)
}
