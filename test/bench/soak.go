package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

const (
	soakReplicas = 2
	soakTick     = 200 * time.Millisecond
	// Of the rollouts that last about 20 s, 100 ticks, each of the three disturbances meets
	// one in ten: 100 × 0.001.
	soakChance = 0.001
	soakAfter  = 10 * time.Minute // for the last rollouts to end
)

// soakSteps take 8 s if nothing is in the way.
var soakSteps = []step{{weight: 20}, {wait: 4 * time.Second}, {weight: 60}, {wait: 4 * time.Second}, {weight: 100}}

// soaking is a soak that goes on.
type soaking struct {
	*fleet
	witness *witness
	random  *rand.Rand
	rolling map[int]*passage // by index in fleet.apps
	version int              // the last one that was given to any app

	promoted, failed, replaced int
	aborted                    map[int]time.Time // accepted, and the traffic not seen to go yet
	away                       []float64         // seconds from an abort to the end of the traffic
	rss                        []float64         // bytes, in order of time
}

// passage is one rollout of the soak.
type passage struct {
	image string
	bad   bool // it has the bad value, or a command to abort
}

// soak keeps many of many more apps rolling, and aborts, replaces and fails some of them at
// random. It looks for broken invariants and for what grows.
func soak(ctx context.Context, b *bench, t tool) (*findings, error) {
	f := newFindings()
	watching, end := context.WithCancel(ctx)
	defer end()
	w, err := b.newWitness(watching)
	if err != nil {
		return f, err
	}
	a := app{steps: soakSteps, interval: time.Second, replicas: soakReplicas}
	fleet, err := b.newFleet(ctx, t, a, b.SoakFleet)
	defer fleet.remove(ctx)
	if err != nil {
		return f, err
	}
	s := &soaking{
		fleet: fleet, witness: w, random: rand.New(rand.NewPCG(1, 2)),
		rolling: map[int]*passage{}, version: 1, aborted: map[int]time.Time{},
	}
	for _, a := range fleet.apps {
		w.gave(a, lab.Image("v1"))
	}
	before, err := b.scrape(ctx)
	if err != nil {
		return f, err
	}
	began := time.Now()
	if err := s.disturb(ctx, b.Soak); err != nil {
		return f, err
	}
	if err := s.finish(ctx); err != nil {
		return f, err
	}
	s.tell(ctx, f, began)
	return f, b.compare(ctx, f, fleet, before)
}

// disturb keeps SoakRolling apps rolling for as long as d.
func (s *soaking) disturb(ctx context.Context, d time.Duration) error {
	tick := time.NewTicker(soakTick)
	defer tick.Stop()
	said := time.Now()
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			if err := s.turn(ctx); err != nil {
				return err
			}
			if now.Sub(said) > 30*time.Second {
				said = now
				s.b.say("soak: %d roll, %d promoted, %d rolled back, %d replaced, RSS %.0f MB",
					len(s.rolling), s.promoted, s.failed, s.replaced, s.rss[len(s.rss)-1]/(1<<20))
			}
		}
	}
	return nil
}

// turn is one tick: what has ended is replaced by new rollouts, and some others are disturbed.
func (s *soaking) turn(ctx context.Context) error {
	s.reap()
	used, err := usageOf(s.tool.program())
	if err != nil {
		return err
	}
	s.rss = append(s.rss, float64(used.rss))
	var chosen []int
	for len(s.rolling)+len(chosen) < s.b.SoakRolling {
		i := s.random.IntN(len(s.apps))
		if s.rolling[i] == nil && !slices.Contains(chosen, i) {
			chosen = append(chosen, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(s.rolling)) {
		if p := s.rolling[i]; p.bad {
			continue
		}
		switch dice := s.random.Float64(); {
		case dice < soakChance:
			chosen = append(chosen, i)
			s.replaced++
		case dice < 2*soakChance:
			s.rolling[i].bad = true
			s.b.metrics.Set(s.apps[i].target(), 0)
		case dice < 3*soakChance:
			if err := s.abort(ctx, i); err != nil {
				return err
			}
		}
	}
	return s.ship(ctx, chosen)
}

// ship gives each of the apps a version that none has had.
func (s *soaking) ship(ctx context.Context, chosen []int) error {
	images := make([]string, len(chosen))
	for k, i := range chosen {
		s.version++
		images[k] = lab.Image(fmt.Sprintf("v%d", s.version))
		s.rolling[i] = &passage{image: images[k]}
		s.b.metrics.Set(s.apps[i].target(), 1)
		s.witness.gave(s.apps[i], images[k])
	}
	return errAll(len(chosen), creators, func(k int) error {
		_, err := s.b.update(ctx, s.tool, s.apps[chosen[k]], images[k])
		return err
	})
}

func (s *soaking) abort(ctx context.Context, i int) error {
	a := s.apps[i]
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{spec.AnnotationCommand: "abort"}}})
	if err != nil {
		return err
	}
	if err := s.b.client.Patch(ctx, s.tool.workload(a), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("abort %s: %w", a.key(), err)
	}
	s.rolling[i].bad = true
	s.aborted[i] = time.Now()
	return nil
}

// reap takes note of the rollouts that have ended.
func (s *soaking) reap() {
	for i, accepted := range s.aborted {
		if at, ok := s.witness.awaySince(s.apps[i], accepted); ok {
			s.away = append(s.away, at.Sub(accepted).Seconds())
			delete(s.aborted, i)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.rolling {
		st := s.states[s.apps[i].key()]
		if st.image != p.image || !st.promoted && st.failed == "" {
			continue
		}
		if st.promoted {
			s.promoted++
		} else {
			s.failed++
		}
		delete(s.rolling, i)
		delete(s.aborted, i) // it ended before it had a route, or had been promoted already
	}
}

// finish lets every rollout end, and then gives each app that was rolled back a good version,
// so that the end can be compared with the beginning.
func (s *soaking) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, soakAfter)
	defer cancel()
	for {
		if err := lab.Poll(ctx, func() error {
			if s.reap(); len(s.rolling) > 0 {
				return fmt.Errorf("%d rollouts of the soak have not ended", len(s.rolling))
			}
			return nil
		}); err != nil {
			return err
		}
		var back []int
		s.mu.Lock()
		for i, a := range s.apps {
			if s.states[a.key()].failed != "" {
				back = append(back, i)
			}
		}
		s.mu.Unlock()
		if len(back) == 0 {
			return s.b.quiet(ctx, "", s.has(), 5*time.Second)
		}
		if err := s.ship(ctx, back); err != nil {
			return err
		}
	}
}

// tell adds what was found about invariants and memory.
func (s *soaking) tell(ctx context.Context, f *findings, began time.Time) {
	broken, looked := s.witness.violations(s.apps)
	broken = append(broken, s.b.foreignWrites(s.tool, began)...)
	broken = append(broken, s.leftovers(ctx)...)
	f.add(nameSoak, float64(len(broken)))
	for _, text := range broken[:min(len(broken), 10)] {
		f.note(nameSoak, text)
	}
	f.note(nameSoak, fmt.Sprintf("%s with %d apps of which %d roll: %d promotions, %d rollbacks, %d replaced templates, %d changes looked at",
		s.b.Soak, len(s.apps), s.b.SoakRolling, s.promoted, s.failed, s.replaced, looked))
	if len(s.away) > 0 {
		f.add(nameSoakAbort, slices.Max(s.away))
		f.note(nameSoakAbort, fmt.Sprintf("%d aborts with a route, median %.3f s", len(s.away), median(s.away)))
	}
	if n := len(s.rss); n >= 4 {
		second, last := median(s.rss[n/4:n/2]), median(s.rss[n-n/4:])
		f.add(nameSoakRSS, last/second)
		f.note(nameSoakRSS, fmt.Sprintf("%.0f MB in the second quarter, %.0f MB in the last", second/(1<<20), last/(1<<20)))
	}
}

// foreignWrites lists the writes of the tool to a user's Service or Ingress.
func (b *bench) foreignWrites(t tool, from time.Time) []string {
	writes, err := b.writesBetween(t.user(), func(string) bool { return true }, from, time.Now())
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, w := range writes {
		own := w.Namespace == lab.HeadgateNamespace || strings.HasSuffix(w.Name, "-canary")
		if (w.Resource == "services" || w.Resource == "ingresses") && !own {
			found = append(found, fmt.Sprintf("it wrote %s %s/%s, which is the user's", w.Resource, w.Namespace, w.Name))
		}
	}
	return found
}

// leftovers lists the canary objects that are still there although no rollout is under way.
func (s *soaking) leftovers(ctx context.Context) []string {
	var found []string
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &netv1.IngressList{}} {
		if err := s.b.client.List(ctx, list, client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}); err != nil {
			found = append(found, err.Error())
			continue
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error { // the function returns no error
			if obj := o.(client.Object); s.has()(obj.GetNamespace()) {
				found = append(found, fmt.Sprintf("%T %s/%s is left", obj, obj.GetNamespace(), obj.GetName()))
			}
			return nil
		})
	}
	return found
}

// compare adds what has grown between two times at which nothing rolls.
func (b *bench) compare(ctx context.Context, f *findings, fleet *fleet, before scraped) error {
	began := time.Now()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(30 * time.Second):
	}
	writes, err := b.writesBetween(fleet.tool.user(), fleet.has(), began, time.Now())
	if err != nil {
		return err
	}
	if len(writes) > 0 {
		f.values[nameSoak][0] += float64(len(writes))
		f.note(nameSoak, "written at rest afterwards: "+tally(writes))
	}
	after, err := b.scrape(ctx)
	if err != nil {
		return err
	}
	f.add(nameSoakGoroutines, after.goroutines/before.goroutines)
	f.note(nameSoakGoroutines, fmt.Sprintf("%.0f before, %.0f after", before.goroutines, after.goroutines))
	f.add(nameSoakSeries, float64(after.perApp-before.perApp))
	f.note(nameSoakSeries, fmt.Sprintf("%d series before, %d after; %d and %d of them are about one app",
		before.series, after.series, before.perApp, after.perApp))
	return nil
}

// headgatePods lists the running pods of Headgate.
func (b *bench) headgatePods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := b.client.List(ctx, &list, client.InNamespace(lab.HeadgateNamespace))
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.Status.PodIP == "" || p.DeletionTimestamp != nil }), err
}
