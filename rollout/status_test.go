package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// status is what a person sees who may read everything.
func (w *world) status() status.Status {
	ctx, live := context.Background(), w.api.Live()
	o := status.Objects{Now: w.now, Deployment: w.stable()}
	canary := &appsv1.Deployment{}
	if live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "web-canary"}, canary) == nil {
		o.Canary = canary
	}
	sets, pods, routes := &appsv1.ReplicaSetList{}, &corev1.PodList{}, &netv1.IngressList{}
	for _, list := range []client.ObjectList{sets, pods, routes} {
		must(live.List(ctx, list))
	}
	o.ReplicaSets, o.Pods, o.Ingresses = sets.Items, pods.Items, routes.Items
	return status.Of(o)
}

// shownStories are those whose pictures are kept: one of each phase and each kind of wait.
var shownStories = []string{
	"a good version", "a bad version", "a pause step, promoted", "paused and resumed by command", "a canary that never starts",
	"no Service at first", "the steps do not parse at 50%", "a third version at 50%", "an abort while pods are adopted",
	"the opt-in goes at 50%", "a later weight is refused", "a smoke test that passes", "a header before weights",
}

// What a person sees of a story, whenever the manager says something new.
func TestStatusOfStories(t *testing.T) {
	for _, name := range shownStories {
		t.Run(name, func(t *testing.T) {
			s, ok := stories[name]
			if !ok {
				t.Fatalf("no story %q", name)
			}
			w := s.begin(t)
			var b strings.Builder
			last := ""
			w.look = func() {
				now := w.status()
				if key := fmt.Sprint(now.Phase, now.Reason, now.Message); key != last {
					last = key
					at := w.now.Sub(w.start)
					fmt.Fprintf(&b, "=== %02d:%02d\n%s\n", int(at.Minutes()), int(at.Seconds())%60, draw.Status(now, draw.Look{Width: 120}))
				}
			}
			w.look()
			s.tell(w)
			checkStory(t, "status/"+name, b.String())
		})
	}
}

// The manager takes and refuses the commands that the status says.
func TestStatusKnowsWhichCommandsAreTaken(t *testing.T) {
	verbs := []string{
		spec.VerbPromote, spec.VerbPromoteFull, spec.VerbPause, spec.VerbResume, spec.VerbAbort, spec.VerbRetry,
	}
	asked := 0
	for name, s := range stories {
		for i, verb := range verbs {
			w := s.begin(t)
			moment, want, refused := 0, "", 0
			w.look = func() {
				now := w.status()
				moment++
				if moment != 3+2*i || w.web.command != "" || now.Rollout == "" || now.Message == "" ||
					now.Reason == reason.WriteRefused || w.quiet() {
					return
				}
				want, refused = now.Refusal(verb), w.oracle.events[reason.CommandRefused]
				w.look = nil
				w.command(verb + ":" + now.Rollout)
				w.run(2 * time.Second)
				if got := w.oracle.events[reason.CommandRefused] > refused; got != (want != "") {
					t.Errorf("%s: %s is refused: %v, the status says %q\n%s\n%s", name, verb, got, want, w.log.String(), draw.Status(now, draw.Look{}))
				}
				asked++
				panic(storyEnds{})
			}
			endsEarly(func() { s.tell(w) })
		}
	}
	if asked < 100 {
		t.Errorf("only %d commands were tried", asked)
	}
}

// storyEnds is thrown where the rest of a story does not matter.
type storyEnds struct{}

func endsEarly(tell func()) {
	defer func() {
		if r := recover(); r != nil && r != (storyEnds{}) {
			panic(r)
		}
	}()
	tell()
}
