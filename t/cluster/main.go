// SPDX-License-Identifier: Apache-2.0

// A whole cluster's worth of servers in one binary, so that they share one
// link: it becomes etcd, kube-apiserver or kubectl by the name it is run as.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"

	// The stock programs register these in their own main packages.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var cobraPrograms = map[string]func() *cobra.Command{
	"kube-apiserver": apiserver.NewAPIServerCommand,
	"kubectl":        kubectl.NewDefaultKubectlCommand,
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	if command, ok := cobraPrograms[name]; ok {
		os.Exit(cli.Run(command()))
	}
	fmt.Fprintf(os.Stderr, "%s: run as etcd, kube-apiserver or kubectl\n", name)
	os.Exit(2)
}
