package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/controlplane"
)

// weights records every weight of the canary Ingresses of a namespace.
type weights struct {
	mu      sync.Mutex
	changes []change
}

type change struct {
	weight int // -1: there is no canary Ingress
	number int // resourceVersion
	// written is when Headgate wrote it, by its own clock; zero for -1.
	written time.Time
	// applied is when the router had applied it in every canary Ingress; zero: not yet, or
	// the weight is not above 0.
	applied time.Time
}

type span struct{ from, to time.Time }

func watchWeights(t *testing.T, namespace string) *weights {
	t.Helper()
	w := &weights{changes: []change{{weight: -1}}}
	events, err := shared.Client().Watch(t.Context(), &netv1.IngressList{},
		client.InNamespace(namespace), client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy})
	if err != nil {
		t.Fatal(err)
	}
	var applying sync.WaitGroup
	t.Cleanup(func() {
		events.Stop()
		applying.Wait()
	})
	applying.Go(func() {
		for e := range events.ResultChan() {
			ing, ok := e.Object.(*netv1.Ingress)
			if !ok || strings.HasSuffix(ing.Name, "-preview") { // a preview has no weight
				continue
			}
			if i := w.add(e.Type, ing); w.at(i).weight > 0 {
				applying.Go(func() {
					if err := shared.Ingress.CatchUp(t.Context()); err == nil { // else the test has ended
						w.apply(i)
					}
				})
			}
		}
	})
	return w
}

// add returns the index of the change that is the present one now.
func (w *weights) add(kind watch.EventType, ing *netv1.Ingress) int {
	c := change{}
	var err error
	if c.weight, err = strconv.Atoi(ing.Annotations[canaryWeight]); err != nil || kind == watch.Deleted {
		c.weight = -1
	} else {
		c.written, _ = time.Parse(time.RFC3339Nano, ing.Annotations["headgate.dev/weight-since"]) // zero for a foreign one
	}
	c.number, _ = strconv.Atoi(ing.ResourceVersion) // the API server's are numbers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changes[len(w.changes)-1].weight != c.weight {
		w.changes = append(w.changes, c)
	}
	return len(w.changes) - 1
}

// apply notes that the router has applied change i. A second Ingress with the same weight
// makes it later.
func (w *weights) apply(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.After(w.changes[i].applied) {
		w.changes[i].applied = now
	}
}

func (w *weights) at(i int) change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes[i]
}

func (w *weights) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes[len(w.changes)-1].weight
}

// all returns the weights in the order in which they were set.
func (w *weights) all() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []int
	for _, c := range w.changes[1:] {
		all = append(all, c.weight)
	}
	return all
}

// last returns the last change to weight, and the change after it: the zero change if
// there is none.
func (w *weights) last(weight int) (c, next change, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.changes) - 1; i > 0; i-- {
		if w.changes[i].weight != weight {
			continue
		}
		if i+1 < len(w.changes) {
			next = w.changes[i+1]
		}
		return w.changes[i], next, true
	}
	return change{}, change{}, false
}

// inForce returns from when to when the router certainly split by weight, the last time it
// was set: from when it had applied the weight in every canary Ingress, until Headgate
// wrote the next one. The router may have been so late that from is after to.
func (s *service) inForce(weight int) span {
	s.Helper()
	var in span
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		c, next, ok := s.weights.last(weight)
		switch {
		case !ok:
			return fmt.Errorf("weight %d was never set; there were %v", weight, s.weights.all())
		case c.applied.IsZero():
			return fmt.Errorf("the router has not applied weight %d", weight)
		case next == change{}:
			in = span{c.applied, time.Now()}
		case next.weight >= 0:
			in = span{c.applied, next.written}
		default:
			in = span{c.applied, s.unrouted(c.written)}
		}
		return nil
	}))
	return in
}

// unrouted returns when the API server received Headgate's first request since then to
// delete a canary Ingress.
func (s *service) unrouted(since time.Time) time.Time {
	s.Helper()
	for _, w := range s.routeLog() {
		if w.Verb == "delete" && w.Received.After(since) {
			return w.Received
		}
	}
	s.Fatalf("Headgate has deleted no canary Ingress since %s", since)
	return time.Time{}
}

// routeLog returns Headgate's writes to canary Ingresses, oldest first.
func (s *service) routeLog() []controlplane.Write {
	s.Helper()
	writes, err := shared.HeadgateWrites()
	s.must(err)
	return slices.DeleteFunc(writes, func(w controlplane.Write) bool {
		return w.Namespace != s.Namespace || w.Resource != "ingresses" || !strings.HasSuffix(w.Name, "-canary")
	})
}
