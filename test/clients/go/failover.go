package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.etcd.io/etcd/clientv3"
)

// streak is how many writes must succeed before the parent kills a leader, and again when it has killed the last.
const streak = 50

// failover writes on and on while its parent kills leaders, and ends when enough is written after the parent's line.
// Every write that was acknowledged must be there then, and the watch must have seen each of them once and in order.
func failover(ctx context.Context, client *clientv3.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := client.Watch(ctx, "count/", clientv3.WithPrefix())
	done := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		close(done)
	}()
	acknowledged := writeBeyond(ctx, client, done)
	got, err := client.Get(ctx, "count/", clientv3.WithPrefix())
	must(err)
	stored := map[string]bool{}
	for _, kv := range got.Kvs {
		stored[string(kv.Key)] = true
	}
	for _, key := range acknowledged {
		if !stored[key] {
			fmt.Println("lost:", key)
		}
	}
	fmt.Println("seen in order:", inOrder(events, len(got.Kvs)))
}

// writeBeyond writes until a streak more succeeds than was written when done was closed; what it returns succeeded.
// A write that is under way to a leader that dies is answered by its deadline alone, so no time tells how many do.
func writeBeyond(ctx context.Context, client *clientv3.Client, done <-chan struct{}) []string {
	var acknowledged []string
	enough := -1
	for at := 0; len(acknowledged) != enough; at++ {
		select {
		case <-done:
			done = nil
			enough = len(acknowledged) + streak
		default:
		}
		key := fmt.Sprintf("count/%06d", at)
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		if _, err := client.Put(attempt, key, strconv.Itoa(at)); err == nil {
			acknowledged = append(acknowledged, key)
			if len(acknowledged) == streak {
				fmt.Println("under way")
			}
		}
		cancel()
	}
	return acknowledged
}

// inOrder tells whether the watch brings so many writes, each above the one before it.
func inOrder(events clientv3.WatchChan, count int) bool {
	last := int64(0)
	for count > 0 {
		answer := <-events
		must(answer.Err())
		for _, event := range answer.Events {
			if event.Kv.ModRevision <= last {
				return false
			}
			last = event.Kv.ModRevision
			count--
		}
	}
	return true
}
