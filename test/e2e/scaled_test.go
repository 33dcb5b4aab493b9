package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/controlplane"
	"github.com/headgate/headgate/test/lab/podmetrics"
)

// full is how many pods the load needs, with 16 requests per second for each pod: 60
// requests per second need 60/16 = 3.75, so 4 pods, and 49 still need 49/16 = 3.06, so
// 4. It is the maximum too: an autoscaler that has just added pods sees more load than
// there is, and would sometimes add too many.
const (
	scaledRate = 60
	full       = 4
	perPod     = 16 * podmetrics.PerRequest
)

// scaled is a service whose number of pods a HorizontalPodAutoscaler sets. The manifest
// has no replicas.
type scaled struct {
	*service
	hpa   *autoscalingv2.HorizontalPodAutoscaler // as the API server answered to the last apply
	sizes *sizes
}

// newScaled is newService with an autoscaler, which has added the pods that the load
// needs.
func newScaled(t *testing.T, steps string, edits ...func(*autoscalingv2.HorizontalPodAutoscaler)) *scaled {
	t.Helper()
	s := newUnscaled(t, steps)
	s.scale(edits...)
	s.awaitSize(full)
	s.sizes = watchSizes(s.service)
	return s
}

// newUnscaled is newScaled without the autoscaler: one pod has the whole load.
func newUnscaled(t *testing.T, steps string) *scaled {
	t.Helper()
	s := &scaled{}
	s.service = newService(t, map[string]string{spec.AnnotationSteps: steps}, func(s *service) { s.autoscaled = true })
	s.await(20*time.Second, reason.Ready)
	return s
}

// scale applies the autoscaler as its user would.
func (s *scaled) scale(edits ...func(*autoscalingv2.HorizontalPodAutoscaler)) {
	s.Helper()
	s.hpa = &autoscalingv2.HorizontalPodAutoscaler{}
	s.must(fromUnstructured(s.apply(s.scaler(edits...)), s.hpa))
}

// withAutoscaler gives s an autoscaler that could change the number of pods and never
// has a reason to.
func (s *service) withAutoscaler() *scaled {
	s.Helper()
	z := &scaled{service: s, hpa: &autoscalingv2.HorizontalPodAutoscaler{}}
	s.must(fromUnstructured(s.apply(s.Autoscaler(full, full+1, 1000)), z.hpa))
	return z
}

// scaler is the user's manifest of the autoscaler. Only edits add a behavior.
func (s *scaled) scaler(edits ...func(*autoscalingv2.HorizontalPodAutoscaler)) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := s.Autoscaler(1, full, perPod)
	for _, edit := range edits {
		edit(hpa)
	}
	return hpa
}

// selects is an edit that sets the selectPolicy for scaling down.
func selects(p autoscalingv2.ScalingPolicySelect) func(*autoscalingv2.HorizontalPodAutoscaler) {
	return func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{SelectPolicy: &p}}
	}
}

func selectPolicy(hpa *autoscalingv2.HorizontalPodAutoscaler) autoscalingv2.ScalingPolicySelect {
	if b := hpa.Spec.Behavior; b != nil {
		return *b.ScaleDown.SelectPolicy // the API server fills it in
	}
	return autoscalingv2.MaxChangePolicySelect
}

// awaitScaler waits until done returns nil for the autoscaler, and returns it.
func (s *scaled) awaitScaler(done func(*autoscalingv2.HorizontalPodAutoscaler) error) *autoscalingv2.HorizontalPodAutoscaler {
	s.Helper()
	hpa := s.Autoscaler(0, 0, 0)
	s.must(shared.Await(s.within(time.Minute), hpa, func() error { return done(hpa) }))
	return hpa
}

// awaitHeld waits until Headgate has switched off the scale-down of the autoscaler.
func (s *scaled) awaitHeld() {
	s.Helper()
	s.awaitScaler(held)
}

func held(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if mark := hpa.Annotations[spec.AnnotationScaleDown]; mark == "" || selectPolicy(hpa) != autoscalingv2.DisabledPolicySelect {
		return fmt.Errorf("want it held, the mark is %q and selectPolicy %s", mark, selectPolicy(hpa))
	}
	return nil
}

// awaitLimited waits until the autoscaler sees so little load that it wants to shrink
// stable, and says that it may not.
func (s *scaled) awaitLimited() {
	s.Helper()
	s.awaitScaler(func(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
		for _, c := range hpa.Status.Conditions {
			if c.Type == autoscalingv2.ScalingLimited && c.Status == corev1.ConditionTrue && c.Reason == "ScaleDownLimit" {
				return nil
			}
		}
		return fmt.Errorf("want it limited in scaling down, it says %v", hpa.Status.Conditions)
	})
}

// awaitRestored waits until Headgate's mark is removed, and checks that the autoscaler
// is as the user applied it.
func (s *scaled) awaitRestored() {
	s.Helper()
	now := s.awaitScaler(func(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
		if mark, marked := hpa.Annotations[spec.AnnotationScaleDown]; marked {
			return fmt.Errorf("it is still marked: %s", mark)
		}
		return nil
	})
	if diff := cmp.Diff(asText(s.hpa.Spec), asText(now.Spec)); diff != "" {
		s.Errorf("the autoscaler (-applied +now):\n%s", diff)
	}
	if diff := cmp.Diff(s.hpa.Annotations, now.Annotations); diff != "" {
		s.Errorf("annotations of the autoscaler (-applied +now):\n%s", diff)
	}
}

// awaitSize waits until stable has that many pods, in its spec and in its status.
func (s *scaled) awaitSize(want int32) {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Await(s.within(90*time.Second), dep, func() error {
		if *dep.Spec.Replicas != want || dep.Status.AvailableReplicas != want {
			return fmt.Errorf("%d replicas, %d of them Available, want %d", *dep.Spec.Replicas, dep.Status.AvailableReplicas, want)
		}
		return nil
	}))
}

// scalerWrites returns Headgate's writes to autoscalers, oldest first, without
// conflicts with a write of the status.
func (s *scaled) scalerWrites() []controlplane.Write {
	s.Helper()
	writes, err := shared.HeadgateWrites()
	s.must(err)
	return slices.DeleteFunc(writes, func(w controlplane.Write) bool {
		return w.Namespace != s.Namespace || w.Resource != "horizontalpodautoscalers" || w.Code == http.StatusConflict
	})
}

// said waits for an event on the Deployment with this reason and part in its text.
// Headgate writes an event a moment after the change that it reports.
func (s *scaled) said(reason reason.Reason, part string) {
	s.Helper()
	s.must(lab.Poll(s.within(10*time.Second), func() error {
		var events eventsv1.EventList
		if err := shared.Client().List(s.Context(), &events, client.InNamespace(s.Namespace)); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == string(reason) && strings.Contains(e.Note, part) && e.Regarding.Name == s.Name {
				return nil
			}
		}
		return fmt.Errorf("no event %s says %q", reason, part)
	}))
}

// sizes records how many pods stable had, in its spec and in its status.
type sizes struct {
	mu      sync.Mutex
	changes []size
}

type size struct {
	number              int // resourceVersion
	replicas, available int32
}

func watchSizes(s *service) *sizes {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(dep), dep))
	z := &sizes{}
	z.add(dep)
	events, err := shared.Client().Watch(s.Context(), &appsv1.DeploymentList{},
		client.InNamespace(s.Namespace), client.MatchingFields{"metadata.name": s.Name})
	s.must(err)
	s.Cleanup(events.Stop)
	go func() {
		for e := range events.ResultChan() {
			if dep, ok := e.Object.(*appsv1.Deployment); ok {
				z.add(dep)
			}
		}
	}()
	return z
}

func (z *sizes) add(dep *appsv1.Deployment) {
	z.mu.Lock()
	defer z.mu.Unlock()
	number, _ := strconv.Atoi(dep.ResourceVersion) // the API server's are numbers
	z.changes = append(z.changes, size{number, *dep.Spec.Replicas, dep.Status.AvailableReplicas})
}

// least returns the smallest size that stable has had so far.
func (z *sizes) least() (replicas, available int32) {
	z.mu.Lock()
	defer z.mu.Unlock()
	replicas, available = z.changes[0].replicas, z.changes[0].available
	for _, c := range z.changes {
		replicas, available = min(replicas, c.replicas), min(available, c.available)
	}
	return replicas, available
}

// available returns how many pods of stable were Available when the API server made the
// change with that resourceVersion.
func (z *sizes) available(number int) int32 {
	z.mu.Lock()
	defer z.mu.Unlock()
	n := z.changes[0].available
	for _, c := range z.changes {
		if c.number <= number {
			n = c.available
		}
	}
	return n
}
