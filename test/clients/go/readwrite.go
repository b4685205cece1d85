package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"go.etcd.io/etcd/clientv3"
	recipe "go.etcd.io/etcd/contrib/recipes"
)

// readWrite takes the read-write lock "interop" to read, then to write: it says when it has it, and gives it up at the
// next line of its input.
func readWrite(_ context.Context, client *clientv3.Client) {
	session, input := session(client), bufio.NewReader(os.Stdin)
	lock := recipe.NewRWMutex(session, "interop")
	must(lock.RLock())
	fmt.Println("reads")
	_, _ = input.ReadString('\n')
	must(lock.RUnlock())
	must(lock.Lock())
	fmt.Println("writes")
	_, _ = input.ReadString('\n')
	must(lock.Unlock())
	must(session.Close())
}
