// Command argocd-engine does for a test what Argo CD's application controller does with an
// Application, and what its API server does with a button. The code that decides is Argo
// CD's own: the cache of the cluster, resource tracking, diff, sync, health, Lua, and the
// reader of argocd-cm. Only what is around it is written here, after controller/state.go,
// controller/sync.go, controller/health.go and server/application/application.go of Argo CD
// 3.6: a stream of requests instead of Applications, and manifests instead of git.
//
// It reads requests, each a JSON object, from stdin and writes an answer with the same id for
// each to stdout, in the order in which they are done. It ends with its stdin.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig of the cluster, which has Argo CD's settings too")
	namespace := flag.String("namespace", "argocd", "the namespace of argocd-cm")
	flag.Parse()
	logrus.SetLevel(logrus.WarnLevel)
	if err := run(*kubeconfig, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, "argocd-engine:", err)
		os.Exit(1)
	}
}

func run(kubeconfig, namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 1000, 2000
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e, err := newEngine(ctx, config, namespace)
	if err != nil {
		return err
	}
	return e.serve(ctx, os.Stdin, os.Stdout)
}

// request asks for one of compare, sync and action.
type request struct {
	ID      int            `json:"id"`
	App     application    `json:"app"`
	Compare *compareInput  `json:"compare,omitempty"`
	Sync    *syncInput     `json:"sync,omitempty"`
	Action  *actionRequest `json:"action,omitempty"`
}

// answer has the result of the request with the same id, or an error.
type answer struct {
	ID      int            `json:"id"`
	Error   string         `json:"error,omitempty"`
	Compare []comparison   `json:"compare,omitempty"` // one for each mode, in the order of the request
	Sync    *operation     `json:"sync,omitempty"`
	Action  *actionOutcome `json:"action,omitempty"`
}

// serve answers requests, several at a time, until in ends.
func (e *engine) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(in)
	requests.DisallowUnknownFields()
	answers := json.NewEncoder(out)
	var writing sync.Mutex
	var running sync.WaitGroup
	defer running.Wait()
	for {
		var r request
		err := requests.Decode(&r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		running.Go(func() {
			a := e.answer(ctx, r)
			writing.Lock()
			defer writing.Unlock()
			if err := answers.Encode(a); err != nil {
				fmt.Fprintln(os.Stderr, "argocd-engine: write an answer:", err)
			}
		})
	}
}

func (e *engine) answer(ctx context.Context, r request) answer {
	a := answer{ID: r.ID}
	err := errors.New("a request has one of compare, sync and action")
	switch {
	case r.Compare != nil:
		a.Compare, err = e.compareAll(ctx, r.App, *r.Compare)
	case r.Sync != nil:
		a.Sync, err = e.sync(ctx, r.App, *r.Sync)
	case r.Action != nil:
		a.Action, err = e.action(ctx, *r.Action)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
