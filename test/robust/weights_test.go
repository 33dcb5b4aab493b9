package robust

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/underload"
)

// weights are those that a canary Ingress had, one after the other. It asks again and again:
// a watch would end with the API server.
type weights struct {
	mu  sync.Mutex
	all []int // -1: there is no canary Ingress
}

func watchWeights(t *testing.T, a *underload.App) *weights {
	t.Helper()
	w := &weights{all: []int{-1}}
	var looking sync.WaitGroup
	looking.Go(func() {
		for t.Context().Err() == nil {
			w.look(t, a.Namespace)
			time.Sleep(100 * time.Millisecond)
		}
	})
	t.Cleanup(looking.Wait)
	return w
}

func (w *weights) look(t *testing.T, namespace string) {
	var list netv1.IngressList
	ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
	if err := shared.Client().List(t.Context(), &list, client.InNamespace(namespace), ours); err != nil {
		return
	}
	now := -1
	for _, ing := range list.Items {
		if n, err := strconv.Atoi(ing.Annotations["nginx.ingress.kubernetes.io/canary-weight"]); err == nil {
			now = n
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[len(w.all)-1] != now {
		w.all = append(w.all, now)
	}
}

// are checks that the weights were want, in this order.
func (w *weights) are(t *testing.T, want ...int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.all[1:]; !slices.Equal(got, want) {
		t.Errorf("the weights were %v, want %v", got, want)
	}
}

// ingressWrites counts how often Headgate wrote canary Ingresses of a, deletions aside.
func ingressWrites(t *testing.T, a *underload.App) int {
	t.Helper()
	writes, err := shared.HeadgateWrites()
	must(t, err)
	n := 0
	for _, w := range writes {
		if w.Namespace == a.Namespace && w.Resource == "ingresses" && w.Verb != "delete" && w.Code < 300 && !w.DryRun {
			n++
		}
	}
	return n
}
