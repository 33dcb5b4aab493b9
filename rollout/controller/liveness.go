package controller

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// reconcileTimeout bounds one reconcile: its reads, its writes and its waits for
	// caches. A write may take 30 s where an admission webhook does not answer.
	reconcileTimeout = 2 * time.Minute

	// stuckAfter is when a reconcile counts as stuck: what it waits for does not even
	// end with its context.
	stuckAfter = 2 * reconcileTimeout
)

// underway knows which reconciles run, and since when, by Reconciler.Elapsed.
type underway struct {
	lock  sync.Mutex
	since map[types.NamespacedName]time.Duration
}

// begin notes that a reconcile of key runs from now on. The result ends it.
func (u *underway) begin(key types.NamespacedName, now time.Duration) (end func()) {
	u.lock.Lock()
	defer u.lock.Unlock()
	if u.since == nil {
		u.since = map[types.NamespacedName]time.Duration{}
	}
	u.since[key] = now
	return func() {
		u.lock.Lock()
		defer u.lock.Unlock()
		delete(u.since, key)
	}
}

// Alive is a check for a liveness probe. It fails while a reconcile is stuck: the
// kubelet restarts the process then, and nothing is lost, because all that a rollout
// must remember is on its objects.
func (r *Reconciler) Alive(*http.Request) error {
	r.underway.lock.Lock()
	defer r.underway.lock.Unlock()
	for key, since := range r.underway.since {
		if took := r.elapsed() - since; took > stuckAfter {
			return fmt.Errorf("the reconcile of Deployment %s takes %s already: it is stuck", key, took.Round(time.Second))
		}
	}
	return nil
}
