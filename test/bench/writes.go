package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/test/lab/controlplane"
)

const controllerManager = "system:kube-controller-manager"

// writesBetween lists the writes of user, everybody's for "", to the namespaces for which in
// returns true, but for those to leases.
func (b *bench) writesBetween(user string, in func(namespace string) bool, from, to time.Time) ([]controlplane.Write, error) {
	all, err := b.lab.ControlPlane.Writes(user)
	return slices.DeleteFunc(all, func(w controlplane.Write) bool {
		return w.Resource == "leases" || w.DryRun || !in(w.Namespace) || w.Time.Before(from) || w.Time.After(to)
	}), err
}

// only returns whether a namespace is one of names.
func only(names ...string) func(string) bool {
	return func(namespace string) bool { return slices.Contains(names, namespace) }
}

// tally counts writes by what was written: "8 patch deployments, 3 create events".
func tally(writes []controlplane.Write) string {
	count := map[string]int{}
	for _, w := range writes {
		what := w.Verb + " " + w.Resource
		if w.Subresource != "" {
			what += "/" + w.Subresource
		}
		count[what]++
	}
	keys := slices.SortedFunc(maps.Keys(count), func(x, y string) int {
		if count[x] != count[y] {
			return count[y] - count[x]
		}
		return strings.Compare(x, y)
	})
	var words []string
	for _, key := range keys {
		words = append(words, fmt.Sprintf("%d %s", count[key], key))
	}
	return strings.Join(words, ", ")
}

// quiet waits until user, anybody for "", has not written to the namespaces for as long as still.
func (b *bench) quiet(ctx context.Context, user string, in func(namespace string) bool, still time.Duration) error {
	for {
		now := time.Now()
		writes, err := b.writesBetween(user, in, now.Add(-still), now)
		if err != nil || len(writes) == 0 {
			return err
		}
		last := writes[len(writes)-1]
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still writes, %s %s %s/%s was the last: %w",
				last.User, last.Verb, last.Resource, last.Namespace, last.Name, context.Cause(ctx))
		case <-time.After(max(last.Time.Add(still).Sub(now), 50*time.Millisecond)):
		}
	}
}
