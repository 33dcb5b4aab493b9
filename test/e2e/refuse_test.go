package e2e

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestMalformedAnnotations: a request with an annotation that does not parse is denied
// and changes nothing. The error shows a value that is right.
func TestMalformedAnnotations(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: newNamespace(t), Name: "web", Version: "v1"}
	dep := s.Deployment()
	if err := shared.Client().Create(t.Context(), dep); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ key, value, want string }{
		"an unknown strategy":           {spec.AnnotationStrategy, "gradual", "canary or blue-green"},
		"a weight above 100":            {spec.AnnotationSteps, "10%, 120%", `"120%"`},
		"a falling weight":              {spec.AnnotationSteps, "50%, 10%", "never falls"},
		"no steps":                      {spec.AnnotationSteps, "", "e.g. headgate.dev/steps"},
		"steps without a weight":        {spec.AnnotationSteps, "5m, pause", "no weight"},
		"a step that is none":           {spec.AnnotationSteps, "10%, soon", `"soon"`},
		"an unknown metric":             {spec.AnnotationAnalysis, "happiness >= 99%", "happiness"},
		"a condition that is none":      {spec.AnnotationAnalysis, "success-rate is good", "success-rate"},
		"PromQL that does not parse":    {spec.AnnotationAnalysis, "metrics: [{name: x, query: 'sum(rate(', condition: '< 1'}]", "sum(rate("},
		"an unknown query variable":     {spec.AnnotationAnalysis, "metrics: [{name: x, query: 'up{a=\"{{pod}}\"}', condition: '< 1'}]", "pod"},
		"a Service name that is none":   {spec.AnnotationService, "Web_1", `"Web_1"`},
		"an Ingress name that is none":  {spec.AnnotationIngress, "web,,", `""`},
		"a label key that is none":      {spec.AnnotationTrackLabel, "a b", `"a b"`},
		"a deadline that is none":       {spec.AnnotationProgressDeadline, "ten minutes", `"ten minutes"`},
		"an unknown command":            {spec.AnnotationCommand, "hurry", "promote-full"},
		"a mistyped annotation":         {"headgate.dev/step", "10%", "there is no such annotation"},
		"an analysis step with nothing": {spec.AnnotationSteps, "10%, analysis", "what to measure"},
	} {
		t.Run(name, func(t *testing.T) {
			want := dep.DeepCopy()
			want.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
			want.Annotations[tt.key] = tt.value
			want.Spec.Template.Spec.Containers[0].Image = lab.Image("v2")
			err := shared.Client().Patch(t.Context(), want, client.MergeFrom(dep))
			if err == nil || !strings.Contains(err.Error(), tt.key) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the answer is %v; want an error that names %s and says %s", err, tt.key, tt.want)
			}
			now := &appsv1.Deployment{}
			if err := shared.Client().Get(t.Context(), client.ObjectKeyFromObject(dep), now); err != nil {
				t.Fatal(err)
			}
			if now.Generation != dep.Generation {
				t.Errorf("the Deployment was changed all the same: generation %d, was %d", now.Generation, dep.Generation)
			}
		})
	}
}

// TestWeightsThatWouldLie: anything that makes a weight meaningless stops the rollout
// before any traffic moves. The condition says what it is. When it is corrected, the
// rollout goes on.
func TestWeightsThatWouldLie(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reason reason.Reason
		want   string // in the message
		spoil  func(*spoilt)
		mend   func(*spoilt)
	}{
		"no Service selects the pods": {
			reason.NoService, "Service",
			func(s *spoilt) { s.svc.Spec.Selector = map[string]string{"app": "other"} },
			func(s *spoilt) { s.svc.Spec.Selector = map[string]string{"app": "web"}; s.update(s.svc) },
		},
		"no Ingress routes to the Service": {
			reason.NoIngress, "Ingress",
			func(s *spoilt) { s.backend().Name = "other" },
			func(s *spoilt) { s.backend().Name = "web"; s.update(s.ing) },
		},
		"an Ingress class that nobody is known to honour": {
			reason.IngressClassUnknown, "somebody-else",
			func(s *spoilt) { s.ing.Spec.IngressClassName = new("somebody-else") },
			func(s *spoilt) { s.ing.Spec.IngressClassName = new(lab.IngressClass); s.update(s.ing) },
		},
		"an unrelated object has the canary's name": {
			reason.NameTaken, "web-canary",
			func(s *spoilt) { s.create(s.other("web-canary")) },
			func(s *spoilt) { s.must(shared.Client().Delete(s.Context(), s.other("web-canary"))) },
		},
		"a Service also selects other pods": {
			reason.ServiceSelectsOthers, "select",
			func(s *spoilt) {
				other := s.other("other")
				other.Spec.Selector.MatchLabels = map[string]string{"tier": "front", "who": "other"}
				other.Spec.Template.Labels = other.Spec.Selector.MatchLabels
				s.create(other)
				s.must(shared.Available(s.within(time.Minute), other))
				s.dep.Spec.Template.Labels["tier"] = "front"
				s.svc.Spec.Selector = map[string]string{"tier": "front"}
			},
			func(s *spoilt) { s.svc.Spec.Selector["app"] = "web"; s.update(s.svc) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSpoilt(t)
			tt.spoil(s)
			s.create(s.svc, s.ing, s.dep)
			s.must(shared.Available(s.within(time.Minute), s.dep))
			s.patch(map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: "50%, 1s, 100%"}},
				"spec":     map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{"edition": "two"}}}},
			})
			if message := s.await(30*time.Second, tt.reason); !strings.Contains(message, tt.want) {
				t.Errorf("the condition does not say %q: %s", tt.want, message)
			}
			var list netv1.IngressList
			ours := client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}
			s.must(shared.Client().List(t.Context(), &list, client.InNamespace(s.Namespace), ours))
			if len(list.Items) > 0 {
				t.Errorf("traffic was touched all the same: %s", list.Items[0].Name)
			}
			tt.mend(s)
			s.await(2*time.Minute, reason.Promoted)
		})
	}
}

// TestPolicyThatMissesCanaryPods: a NetworkPolicy may select on the label that differs
// on canary pods. Headgate reports it and goes on.
func TestPolicyThatMissesCanaryPods(t *testing.T) {
	t.Parallel()
	s := newSpoilt(t)
	s.create(s.svc, s.ing, s.dep, &netv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "to-the-database"},
		Spec:       netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	})
	s.must(shared.Available(s.within(time.Minute), s.dep))
	s.annotate(spec.AnnotationStrategy, "canary")
	s.annotate(spec.AnnotationSteps, "50%, 1s")
	s.await(20*time.Second, reason.Ready)
	s.patch(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{"edition": "two"},
	}}}})
	s.await(time.Minute, reason.Promoted)
	var events eventsv1.EventList
	s.must(shared.Client().List(t.Context(), &events, client.InNamespace(s.Namespace)))
	said := 0
	for _, e := range events.Items {
		if e.Reason == string(reason.CanaryNotCovered) && strings.Contains(e.Note, "NetworkPolicy to-the-database") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d events say so, want 1", said)
	}
}

// spoilt returns a service that has something wrong from the start, and no load.
type spoilt struct {
	*service
	svc *corev1.Service
	ing *netv1.Ingress
	dep *appsv1.Deployment
}

func newSpoilt(t *testing.T) *spoilt {
	t.Helper()
	s := &spoilt{service: &service{T: t, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 2}}}
	s.Namespace = newNamespace(t)
	s.svc, s.ing, s.dep = s.Service(), s.Ingress(), s.Deployment()
	return s
}

// other is another user's Deployment in the same namespace.
func (s *spoilt) other(name string) *appsv1.Deployment {
	return lab.Sample{Namespace: s.Namespace, Name: name, Version: "v9"}.Deployment()
}

func (s *spoilt) backend() *netv1.IngressServiceBackend {
	return s.ing.Spec.Rules[0].HTTP.Paths[0].Backend.Service
}

func (s *spoilt) create(objects ...client.Object) {
	s.Helper()
	for _, obj := range objects {
		s.must(shared.Client().Create(s.Context(), obj))
	}
}

// update writes obj whatever its resourceVersion: an ingress controller may have
// written the status meanwhile.
func (s *spoilt) update(obj client.Object) {
	s.Helper()
	obj.SetResourceVersion("")
	s.must(shared.Client().Update(s.Context(), obj))
}
