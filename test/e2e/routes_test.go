package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// newHalfway returns a service whose v2 waits at weight 50.
func newHalfway(t *testing.T, env map[string]string) (*service, *chronicle) {
	t.Helper()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%"})
	c := s.chronicle()
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", env)
	s.await(time.Minute, reason.AwaitingPromotion)
	return s, c
}

// TestRoutesEditedAndAdded: after an edit, every route to the Service gets the same
// weight at once.
func TestRoutesEditedAndAdded(t *testing.T) {
	t.Parallel()
	s, c := newHalfway(t, nil)

	second := s.Ingress()
	second.Name, second.Spec.Rules[0].Host = "partners", "partners."+s.Host()
	s.apply(second)
	s.awaitSplit(second)
	partners := s.splits(second.Spec.Rules[0].Host)

	first := s.Ingress()
	www := first.Spec.Rules[0].DeepCopy()
	www.Host = "www." + s.Host()
	www.HTTP.Paths = append(www.HTTP.Paths, www.HTTP.Paths[0])
	www.HTTP.Paths[1].Path, www.HTTP.Paths[1].PathType = "/about", new(netv1.PathTypeExact)
	first.Spec.Rules = append(first.Spec.Rules, *www)
	s.apply(first)
	s.awaitSplit(first)
	other := s.splits(www.Host)

	for host, l := range map[string]*load.Load{"partners": partners, "www": other} {
		if r := l.Stop(); len(r.FailedByRollout()) > 0 {
			t.Errorf("answers of %s were lost: %s", host, r)
		}
	}
	s.must(shared.Client().Delete(t.Context(), second))
	s.must(shared.AwaitGone(s.within(20*time.Second), canaryOf(second)))
	s.apply(s.Ingress())
	s.awaitSplit(s.Ingress())

	svc := s.Service()
	svc.Spec.Ports[0].Port = 8000
	s.apply(svc)
	canary := s.canaryService()
	s.must(shared.Await(s.within(20*time.Second), canary, func() error {
		if port := canary.Spec.Ports[0].Port; port != 8000 {
			return fmt.Errorf("the canary Service has port %d, want 8000", port)
		}
		return nil
	}))
	s.bothAnswer(s.load)
	s.apply(s.Service())

	if diff := cmp.Diff(map[string][]int{"web-canary": {0, 50}, "partners-canary": {50}}, c.weights()); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Promoted)
	s.onlyLeft("v2")
	s.over()
	c.check()
}

// TestServiceAndIngressRenamed renames without an outage: the new object is created
// before the old one is deleted.
func TestServiceAndIngressRenamed(t *testing.T) {
	t.Parallel()
	s, c := newHalfway(t, nil)

	svc := s.Service()
	svc.Name = "shop"
	s.apply(svc)
	s.awaitEndpoints(svc.Name)
	ing := s.Ingress()
	ing.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = svc.Name
	s.apply(ing)
	s.awaitSplit(ing)
	s.must(shared.AwaitGone(s.within(20*time.Second), s.canaryService()))
	s.must(shared.Client().Delete(t.Context(), s.Service()))
	s.bothAnswer(s.load)

	front := ing.DeepCopy()
	front.Name = "front"
	s.apply(front)
	s.awaitSplit(front)
	s.must(shared.Client().Delete(t.Context(), ing))
	s.must(shared.AwaitGone(s.within(20*time.Second), canaryOf(ing)))
	s.awaitSplit(front)
	s.bothAnswer(s.load)
	if diff := cmp.Diff(map[string][]int{"web-canary": {0, 50}, "front-canary": {50}}, c.weights()); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}

	s.annotate(spec.AnnotationCommand, "promote")
	s.await(time.Minute, reason.Promoted)
	s.onlyLeft("v2")
	s.unharmed()
	c.check()
}

// TestRouteDeletedAndCreated: a GitOps tool may replace a route in this way. The canary
// keeps its weight and waits. No more answers are lost than without a canary.
func TestRouteDeletedAndCreated(t *testing.T) {
	t.Parallel()
	for kind, tt := range map[string]struct {
		object func(lab.Sample) client.Object
		want   reason.Reason
	}{
		"Ingress": {func(s lab.Sample) client.Object { return s.Ingress() }, reason.NoIngress},
		"Service": {func(s lab.Sample) client.Object { return s.Service() }, reason.NoService},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, c := newHalfway(t, nil)
			var outages []span
			outage := func(meanwhile func()) {
				t.Helper()
				from := time.Now()
				s.must(shared.Client().Delete(t.Context(), tt.object(s.Sample)))
				s.must(lab.Poll(s.within(20*time.Second), func() error {
					if s.load.Report().LastBad().Before(from) {
						return fmt.Errorf("without its %s the host still answers", kind)
					}
					return nil
				}))
				meanwhile()
				if got := s.weights.all(); !slices.Equal(got, []int{0, 50}) {
					t.Errorf("without the %s weights were %v", kind, got)
				}
				s.apply(tt.object(s.Sample))
				s.given = s.routes() // a Service gets another address
				s.answersAgain()
				outages = append(outages, span{from, time.Now()})
			}
			outage(func() {})
			s.bothAnswer(s.load)
			outage(func() {
				s.annotate(spec.AnnotationCommand, "promote")
				s.await(20*time.Second, tt.want)
			})
			s.await(time.Minute, reason.Promoted)
			s.onlyLeft("v2")
			s.asApplied()
			c.check()
			for _, a := range s.load.Stop().FailedByRollout() {
				out := slices.ContainsFunc(outages, func(o span) bool { return a.Came().After(o.from) && a.Sent.Before(o.to) })
				if !out || a.Version != "" {
					t.Errorf("lost for another reason than that the %s was gone: %s", kind, a)
				}
			}
		})
	}
}

// TestServiceEditedToSelectTheCanary: canary pods behind the stable Service get more
// traffic than their weight says, and keep it after an abort. No weight may rise then.
func TestServiceEditedToSelectTheCanary(t *testing.T) {
	t.Parallel()
	s := newSpoilt(t)
	s.dep.Spec.Template.Labels["tier"] = "front"
	s.create(s.svc, s.ing, s.dep)
	s.must(shared.Available(s.within(time.Minute), s.dep))
	s.must(shared.AwaitRoute(s.within(20*time.Second), s.Host()))
	s.load = s.send(s.Host())
	s.annotate(spec.AnnotationStrategy, "canary")
	s.annotate(spec.AnnotationSteps, "50%, pause, 100%")
	s.await(20*time.Second, reason.Ready)
	s.try("v2")
	s.overwrite(s.svc, map[string]any{"spec": map[string]any{"selector": map[string]any{"app": nil, "tier": "front"}}})
	s.annotate(spec.AnnotationCommand, "promote")
	s.await(20*time.Second, reason.CanaryIndistinct, reason.ServiceSelectsOthers)
	s.overwrite(s.svc, map[string]any{"spec": map[string]any{"selector": map[string]any{"app": "web"}}})
	s.await(time.Minute, reason.Promoted)
	s.nothingLeft()
	s.unharmed()
}

// canaryOf returns the canary Ingress of one of the user's Ingresses.
func canaryOf(stable *netv1.Ingress) *netv1.Ingress {
	return &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: stable.Namespace, Name: stable.Name + "-canary"}}
}

// awaitSplit waits until the canary Ingress of stable has weight 50 and the same rules
// with the canary Service in them.
func (s *service) awaitSplit(stable *netv1.Ingress) {
	s.Helper()
	want := stable.DeepCopy().Spec.Rules
	for _, rule := range want {
		for i := range rule.HTTP.Paths {
			rule.HTTP.Paths[i].Backend.Service.Name += "-canary"
		}
	}
	canary := canaryOf(stable)
	s.must(shared.Await(s.within(20*time.Second), canary, func() error {
		if weight := canary.Annotations[canaryWeight]; weight != "50" {
			return fmt.Errorf("weight %s, want 50", weight)
		}
		if diff := cmp.Diff(want, canary.Spec.Rules); diff != "" {
			return fmt.Errorf("its rules (-want +got):\n%s", diff)
		}
		return nil
	}))
}

// splits sends a load to host and waits until both versions have answered.
func (s *service) splits(host string) *load.Load {
	s.Helper()
	s.must(shared.AwaitRoute(s.within(20*time.Second), host))
	l := s.send(host)
	s.bothAnswer(l)
	return l
}

// bothAnswer waits until v1 and v2 answer requests of l that are sent from now on.
func (s *service) bothAnswer(l *load.Load) {
	s.Helper()
	since := time.Now()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		r := l.Report().Since(since)
		if n := r.Versions(); n["v1"] == 0 || n["v2"] == 0 {
			return fmt.Errorf("want answers of v1 and of v2: %s", r)
		}
		return nil
	}))
}

// answersAgain waits until none of the last answers was lost. One answer is not
// enough: the route of the canary may work before that of stable.
func (s *service) answersAgain() {
	s.Helper()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		all := s.load.Report().Answers
		last := load.Report{Answers: all[max(0, len(all)-30):]}
		if len(last.FailedByRollout()) > 0 {
			return fmt.Errorf("of the last answers: %s", last)
		}
		return nil
	}))
}

// awaitEndpoints waits until every pod of the Deployment is behind the Service.
func (s *service) awaitEndpoints(name string) {
	s.Helper()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		if pods := s.endpoints(client.MatchingLabels{discoveryv1.LabelServiceName: name}); len(pods) != int(s.Replicas) {
			return fmt.Errorf("the endpoints are %v, want %d", pods, s.Replicas)
		}
		return nil
	}))
}

// endpoints returns the sorted names of the pods in the EndpointSlices of the namespace, or
// in some of them, that are not about to end: the router gives no request to the others.
func (s *service) endpoints(some ...client.ListOption) []string {
	s.Helper()
	var list discoveryv1.EndpointSliceList
	s.must(shared.Client().List(s.Context(), &list, append(some, client.InNamespace(s.Namespace))...))
	var pods []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Terminating == nil || !*e.Conditions.Terminating {
				pods = append(pods, e.TargetRef.Name)
			}
		}
	}
	slices.Sort(pods)
	return slices.Compact(pods)
}
