package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
	"github.com/headgate/headgate/test/underload"
)

// service is the sample service of one test, under load, in its own namespace.
type service struct {
	*testing.T
	lab.Sample
	load    *load.Load
	applied *appsv1.Deployment // what the API server answered to the last apply
	given   map[string]string  // Service and Ingress as they were applied
	weights *weights

	autoscaled bool // the manifest does not say how many replicas
}

// good is an analysis that the sample service passes unless it is told to fail. One error
// in a window of three seconds breaks it: most tests are about what follows from a
// verdict, and do not wait for a test that counts until it knows.
const good = "{interval: 3s, metrics: [{name: success-rate, condition: '>= 100%'}]}"

// newService applies version v1 with 4 replicas and without annotations. It waits until
// v1 serves, sends load to it, and then opts in. prepare may change what is applied
// first.
func newService(t *testing.T, annotations map[string]string, prepare ...func(*service)) *service {
	t.Helper()
	s := &service{T: t, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 4}}
	s.Namespace = newNamespace(t)
	for _, f := range prepare {
		f(s)
	}
	s.apply(s.Service())
	s.apply(s.Ingress())
	s.given = s.routes()
	s.ship("v1", nil)
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.weights = watchWeights(t, s.Namespace)
	s.must(shared.AwaitRoute(s.within(20*time.Second), s.Host()))
	s.load = s.send(s.Host())
	s.Annotations = map[string]string{spec.AnnotationStrategy: "canary"}
	maps.Copy(s.Annotations, annotations)
	s.ship("v1", nil)
	return s
}

// send sends a load to host: 40 requests per second, or scaledRate for an autoscaler.
func (s *service) send(host string) *load.Load {
	rate := 40
	if s.autoscaled {
		rate = scaledRate
	}
	return load.Start(s.Context(), load.Options{URL: shared.Ingress.URL() + "/", Host: host, Rate: rate})
}

func newNamespace(t *testing.T) string { return underload.Namespace(t, shared, "e2e-") }

// ship applies the Deployment with another version, as `kubectl apply
// --server-side` would.
func (s *service) ship(version string, env map[string]string) {
	s.Helper()
	s.Version, s.Env = version, env
	s.shipAs(s.Deployment())
}

// shipAs is ship for an edited Deployment.
func (s *service) shipAs(dep *appsv1.Deployment) {
	s.Helper()
	s.applied = &appsv1.Deployment{}
	s.must(fromUnstructured(s.apply(dep), s.applied))
}

func (s *service) apply(obj client.Object) *unstructured.Unstructured {
	s.Helper()
	u := s.manifest(obj)
	s.must(underload.Apply(s.Context(), shared, u))
	return u
}

// manifest is obj as a user would write it.
func (s *service) manifest(obj client.Object) *unstructured.Unstructured {
	s.Helper()
	u, err := underload.Manifest(shared, obj)
	s.must(err)
	if s.autoscaled {
		unstructured.RemoveNestedField(u.Object, "spec", "replicas")
	}
	return u
}

func fromUnstructured(u *unstructured.Unstructured, obj any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, obj)
}

// annotate writes one annotation as a person would with kubectl; "" removes it.
func (s *service) annotate(key, value string) {
	s.Helper()
	v := any(value)
	if value == "" {
		v = nil
	}
	s.patch(map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: v}}})
}

func (s *service) patch(content map[string]any) {
	s.Helper()
	b, err := json.Marshal(content)
	s.must(err)
	s.must(shared.Client().Patch(s.Context(), s.deployment(), client.RawPatch(types.MergePatchType, b), client.FieldOwner("kubectl-patch")))
}

func (s *service) deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}
}

func (s *service) canary() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-canary"}}
}

func (s *service) canaryIngress() *netv1.Ingress {
	return &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-canary"}}
}

func (s *service) canaryService() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-canary"}}
}

func (s *service) preview() *netv1.Ingress {
	return &netv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-preview"}}
}

func (s *service) previewService() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name + "-preview"}}
}

// await waits until the condition has one of reasons, and returns its message.
func (s *service) await(limit time.Duration, reasons ...reason.Reason) string {
	s.Helper()
	dep, message := s.deployment(), ""
	s.must(shared.Await(s.within(limit), dep, func() error {
		reason := ""
		reason, message = condition(dep)
		for _, want := range reasons {
			if reason == string(want) {
				return nil
			}
		}
		return fmt.Errorf("want %v, it is %s: %s", reasons, reason, message)
	}))
	return message
}

// awaitWords is await for one reason with words in its message.
func (s *service) awaitWords(limit time.Duration, reason reason.Reason, words string) {
	s.Helper()
	dep := s.deployment()
	s.must(shared.Await(s.within(limit), dep, func() error {
		if now, message := condition(dep); now != string(reason) || !strings.Contains(message, words) {
			return fmt.Errorf("want %s with %q, it is %s: %s", reason, words, now, message)
		}
		return nil
	}))
}

// notes returns the texts of the events with a reason.
func (s *service) notes(reason reason.Reason) []string {
	s.Helper()
	var list eventsv1.EventList
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(s.Namespace)))
	var texts []string
	for _, e := range list.Items {
		if e.Reason == string(reason) {
			texts = append(texts, e.Note)
		}
	}
	return texts
}

// poke makes Headgate reconcile, after a change of something that it does not watch.
func (s *service) poke() {
	s.Helper()
	s.annotate("example.org/note", "look")
	s.annotate("example.org/note", "")
}

// condition is what Headgate says about the rollout that is held now.
func condition(dep *appsv1.Deployment) (why, message string) {
	now, message := underload.Condition(dep)
	return string(now), message
}

// awaitWeight waits until the canary Ingress carries weight.
func (s *service) awaitWeight(limit time.Duration, weight int) {
	s.Helper()
	s.must(lab.Poll(s.within(limit), func() error {
		if now := s.weights.now(); now != weight {
			reason, message := s.condition()
			return fmt.Errorf("want weight %d, it is %d (%s: %s)", weight, now, reason, message)
		}
		return nil
	}))
}

func (s *service) condition() (string, string) {
	dep := s.deployment()
	if err := shared.Client().Get(context.Background(), client.ObjectKeyFromObject(dep), dep); err != nil {
		return "", err.Error()
	}
	return condition(dep)
}

// over stops the load and checks what must be true after every rollout: no answer was
// lost, and the user's objects are as the user applied them.
func (s *service) over() load.Report {
	s.Helper()
	r := s.load.Stop()
	if failed := r.FailedByRollout(); len(failed) > 0 {
		s.Errorf("the rollout broke answers: %s", r)
	}
	s.asApplied()
	return r
}

// asApplied compares byte for byte: Service and Ingress, and of the Deployment
// the labels, annotations, replicas and template.
func (s *service) asApplied() {
	s.Helper()
	if diff := cmp.Diff(s.given, s.routes()); diff != "" {
		s.Errorf("the user's Service or Ingress was written (-applied +now):\n%s", diff)
	}
	dep := s.deployment()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(dep), dep))
	if diff := cmp.Diff(asText(s.applied.Spec.Template), asText(dep.Spec.Template)); diff != "" {
		s.Errorf("the user's template was written (-applied +now):\n%s", diff)
	}
	if diff := cmp.Diff(asText(s.applied.Labels), asText(dep.Labels)); diff != "" {
		s.Errorf("the user's labels were written (-applied +now):\n%s", diff)
	}
	if *dep.Spec.Replicas != s.Replicas && !s.autoscaled {
		s.Errorf("replicas: applied %d, now %d", s.Replicas, *dep.Spec.Replicas)
	}
	now := maps.Clone(dep.Annotations)
	maps.DeleteFunc(now, func(key, _ string) bool {
		return strings.HasPrefix(key, "deployment.kubernetes.io/") ||
			dep.Spec.Paused && (key == spec.AnnotationRollout || key == spec.AnnotationPhase)
	})
	if len(now)+len(s.Annotations) > 0 && !maps.Equal(s.Annotations, now) {
		s.Errorf("annotations (-applied +now):\n%s", cmp.Diff(s.Annotations, now))
	}
}

// routes returns the user's Service and Ingress as text, without the fields that the
// API server and the ingress controller write.
func (s *service) routes() map[string]string {
	s.Helper()
	text := map[string]string{}
	svc, ing := s.Service(), s.Ingress()
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(svc), svc))
	s.must(shared.Client().Get(s.Context(), client.ObjectKeyFromObject(ing), ing))
	text["Service"] = asText([]any{svc.Labels, svc.Annotations, svc.OwnerReferences, svc.Spec})
	text["Ingress"] = asText([]any{ing.Labels, ing.Annotations, ing.OwnerReferences, ing.Spec})
	return text
}

func asText(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// gone waits until no object of Headgate is left.
func (s *service) gone(limit time.Duration) {
	s.Helper()
	for _, obj := range []client.Object{s.canary(), s.canaryIngress(), s.canaryService(), s.preview(), s.previewService()} {
		s.must(shared.AwaitGone(s.within(limit), obj))
	}
}

// sharesMatch checks the observed share of version at each weight that was held
// for a while: within three standard deviations. It counts the answers from when the
// router had applied the weight until Headgate wrote the next one.
//
// The router begins a split anew whenever it applies the changes of any test, at most every
// throttle, and each beginning shifts up to one answer. Example: weight 10 for 5 s with 40
// requests per second: 12 beginnings of 200 answers shift the share by half of that, 3%.
func (s *service) sharesMatch(r load.Report, version string, want ...int) {
	s.Helper()
	for _, weight := range want {
		span := s.inForce(weight)
		at := r.Between(span.from, span.to)
		n := len(at.Answers)
		if open := span.to.Sub(span.from); n < 50 && open < 2*time.Second {
			s.Logf("weight %3d: the router applied it so late that it was in force for %s: nothing to compare", weight, open)
			continue
		}
		p, got := float64(weight)/100, at.Share(version)
		sigma := math.Sqrt(p * (1 - p) / float64(n))
		allowed := 0.0
		if weight < 100 { // one answer more or less is always within the error
			beginnings := span.to.Sub(span.from).Seconds() / throttle.Seconds()
			allowed = 3*sigma + (1+beginnings/2)/float64(n)
		}
		if n == 0 || math.Abs(got-p) > allowed {
			s.Errorf("at weight %d %s had %.1f%% of %d answers, allowed is %.1f%% more or less", weight, version, 100*got, n, 100*allowed)
		}
		s.Logf("weight %3d: %s had %5.1f%% of %d answers (allowed is %.1f%% more or less)", weight, version, 100*got, n, 100*allowed)
	}
}

// podNames returns the names of the pods that run version, sorted.
func (s *service) podNames(version string) []string {
	s.Helper()
	var list corev1.PodList
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(s.Namespace)))
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && pod.Spec.Containers[0].Image == lab.Image(version) {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *service) awaitPods(limit time.Duration, version string, want int) {
	s.Helper()
	s.must(lab.Poll(s.within(limit), func() error {
		if n := len(s.podNames(version)); n != want {
			return fmt.Errorf("%d pods run %s, want %d", n, version, want)
		}
		return nil
	}))
}

// patience is by how much a limit is longer than what a wait takes at most on an idle
// machine. A limit ends a test that hangs: no promise of Headgate is measured by one.
const patience = 3

func (s *service) within(d time.Duration) context.Context {
	d *= patience
	ctx, cancel := context.WithTimeoutCause(s.Context(), d, fmt.Errorf("not within %s", d))
	s.Cleanup(cancel)
	return ctx
}

func (s *service) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
