package main

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/clientv3"
)

// auth turns authentication on, is refused what it may not do, and turns it off again.
func auth(ctx context.Context, config clientv3.Config) {
	nobody := connect(config)
	defer nobody.Close()
	setUp(ctx, nobody)
	_, err := nobody.Get(ctx, "auth/a")
	fmt.Println("nobody reads:", err)

	asAda := connect(as(config, "ada", "pass"))
	defer asAda.Close()
	_, err = asAda.Put(ctx, "auth/a", "1")
	must(err)
	_, err = asAda.Put(ctx, "other", "1")
	fmt.Println("ada writes elsewhere:", err)
	_, err = asAda.Txn(ctx).Then(clientv3.OpPut("auth/a", "2"), clientv3.OpGet("other")).Commit()
	fmt.Println("ada hides it in a transaction:", err)
	_, err = asAda.UserAdd(ctx, "eve", "")
	fmt.Println("ada adds a user:", err)
	_, err = clientv3.New(as(config, "ada", "wrong"))
	fmt.Println("a wrong password:", err)

	root := connect(as(config, "root", "secret"))
	defer root.Close()
	user, err := root.UserGet(ctx, "ada")
	must(err)
	fmt.Println("ada has", user.Roles)
	_, err = root.AuthDisable(ctx)
	must(err)
	got, err := nobody.Get(ctx, "auth/", clientv3.WithPrefix())
	must(err)
	fmt.Println("nobody reads, authentication off:", got.Count)
}

func setUp(ctx context.Context, client *clientv3.Client) {
	_, err := client.RoleAdd(ctx, "writer")
	must(err)
	_, err = client.RoleGrantPermission(ctx, "writer", "auth/", clientv3.GetPrefixRangeEnd("auth/"), clientv3.PermissionType(clientv3.PermReadWrite))
	must(err)
	for name, password := range map[string]string{"root": "secret", "ada": "pass"} {
		_, err = client.UserAdd(ctx, name, password)
		must(err)
	}
	_, err = client.UserGrantRole(ctx, "root", "root")
	must(err)
	_, err = client.UserGrantRole(ctx, "ada", "writer")
	must(err)
	_, err = client.AuthEnable(ctx)
	must(err)
}

func as(config clientv3.Config, name, password string) clientv3.Config {
	config.Username, config.Password = name, password
	return config
}
