package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// newerServer returns a client of an API server that stores every field, also those
// that the types of this program lack.
func newerServer(objects ...client.Object) client.Client {
	return fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(objects...).Build()
}

// stored is obj as an API server has it, with more fields. The key of a field is its
// path: "spec.template.spec.newer", with a number for an item of a list.
func stored(t *testing.T, obj client.Object, kind schema.GroupVersionKind, more map[string]any) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(kind)
	for path, value := range more {
		setField(t, u.Object, strings.Split(path, "."), value)
	}
	return u
}

func setField(t *testing.T, at any, path []string, value any) {
	t.Helper()
	for ; len(path) > 1; path = path[1:] {
		switch node := at.(type) {
		case map[string]any:
			at = node[path[0]]
		case []any:
			at = node[path[0][0]-'0']
		}
	}
	object, ok := at.(map[string]any)
	if !ok {
		t.Fatalf("there is no object for %s", path[0])
	}
	object[path[0]] = runtime.DeepCopyJSONValue(value)
}

var (
	deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")
	replicaSetKind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
)

// newerFields are where an API server of tomorrow may have fields.
func newerFields() map[string]any {
	const template = "spec.template."
	terms := template + "spec.affinity.podAntiAffinity."
	fields := map[string]any{}
	for _, path := range []string{
		"newer", "metadata.newer", "spec.newer", "spec.containers.0.newer", "spec.topologySpreadConstraints.0.newer",
		"spec.topologySpreadConstraints.0.labelSelector.newer", "spec.affinity.newer",
	} {
		fields[template+path] = map[string]any{"of": path, "number": int64(9007199254740993)}
	}
	fields[terms+"requiredDuringSchedulingIgnoredDuringExecution.0.newer"] = []any{"a", true, nil, 0.5}
	fields[terms+"preferredDuringSchedulingIgnoredDuringExecution.0.podAffinityTerm.newer"] = "text"
	fields[terms+"preferredDuringSchedulingIgnoredDuringExecution.0.podAffinityTerm.labelSelector.matchExpressions.0.newer"] = "text"
	return fields
}

// The canary has the template that was sent, with every field, and what it needs to
// be the canary.
func TestCanaryHasEveryFieldThatWasSent(t *testing.T) {
	s := newFixture(t)
	s.canaryDep = nil
	s.target.Track = map[string]string{"app": "web-canary"}
	s.Live = newerServer(stored(t, s.dep, deploymentKind, newerFields()))
	var got *unstructured.Unstructured
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
			obj.SetResourceVersion("200")
			got = obj.(*unstructured.Unstructured)
			return nil
		},
	})
	state := rollout.State{Rollout: "7", Mode: rollout.ModeProgressing}
	d := rollout.Decision{Canary: &rollout.CanaryGoal{State: state, Replicas: 2}}
	if err := s.writeCanary(t.Context(), s.snapshot, d); err != nil {
		t.Fatal(err)
	}

	typed := newCanary(s.dep, "7", s.target.Track, s.canaryDep.Annotations[spec.AnnotationState], 2)
	want := stored(t, typed, deploymentKind, newerFields())
	want.SetResourceVersion("200")
	if diff := cmp.Diff(want.Object, got.Object); diff != "" {
		t.Errorf("the canary Deployment (-want +got):\n%s", diff)
	}
	if s.canaryDep.ResourceVersion != "200" || s.canaryDep.Spec.Template.Labels["app"] != "web-canary" {
		t.Errorf("the snapshot has %+v, and not what was created", s.canaryDep)
	}
}

// A template that arrived after the decision gets a canary of its own.
func TestCanaryOfAnOlderTemplateIsNotCreated(t *testing.T) {
	for name, change := range map[string]func(*appsv1.Deployment){
		"another generation": func(d *appsv1.Deployment) { d.Generation++ },
		"another Deployment": func(d *appsv1.Deployment) { d.UID = "u9" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.canaryDep, s.target.Track = nil, map[string]string{"app": "web-canary"}
			live := s.dep.DeepCopy()
			change(live)
			s.Live = newerServer(stored(t, live, deploymentKind, nil))
			d := rollout.Decision{Canary: &rollout.CanaryGoal{State: rollout.State{Rollout: "7"}, Replicas: 2}}
			if err := s.writeCanary(t.Context(), s.snapshot, d); !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
				t.Errorf("writeCanary() = %v, writes %v; want errStale and none", err, s.ledger.writes)
			}
		})
	}
}

// The caches cannot tell two templates that differ in a field which they lack. A
// held template must not be taken for the one that runs, or that ran before.
func TestHeldTemplatesAreComparedWhole(t *testing.T) {
	const newer = "spec.template.spec.newer"
	type revision struct {
		version
		replicas int32
		newer    string
	}
	v1, v2, again := version{"web:v1", ""}, version{"web:v2", ""}, version{"web:v1", "10h"}
	type result struct {
		Runs, TemplateRuns bool
		RevisionsAgo       int
	}
	for name, tt := range map[string]struct {
		wanted    version
		newer     string
		notHeld   bool
		hasCanary bool
		sets      []revision
		want      result
	}{
		"it runs":                        {wanted: v1, newer: "a", sets: []revision{{v1, 2, "a"}}, want: result{true, true, 0}},
		"a restart of it runs":           {wanted: v1, newer: "a", sets: []revision{{again, 2, "a"}}, want: result{true, true, 0}},
		"the field is new":               {wanted: v1, newer: "a", sets: []revision{{v1, 2, ""}}, want: result{true, false, 0}},
		"the field is gone":              {wanted: v1, sets: []revision{{v1, 2, "a"}}, want: result{true, false, 0}},
		"another value":                  {wanted: v1, newer: "b", sets: []revision{{v1, 2, "a"}}, want: result{true, false, 0}},
		"another value, beside a canary": {wanted: v1, newer: "b", hasCanary: true, sets: []revision{{v1, 2, "a"}}, want: result{true, false, 0}},
		"both run":                       {wanted: v1, newer: "b", sets: []revision{{v1, 2, "a"}, {again, 1, "b"}}, want: result{true, true, 0}},
		"nothing is held":                {wanted: v1, newer: "b", notHeld: true, sets: []revision{{v1, 2, "a"}}, want: result{true, true, 0}},
		"the last revision":              {wanted: v1, newer: "a", sets: []revision{{v1, 0, "a"}, {v2, 2, "a"}}, want: result{true, false, 1}},
		"not quite the last revision":    {wanted: v1, newer: "b", sets: []revision{{v1, 0, "a"}, {v2, 2, "a"}}, want: result{true, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			dep := stableDeployment()
			tt.wanted.of(dep)
			live := []client.Object{stored(t, dep, deploymentKind, optional(newer, tt.newer))}
			var cached []client.Object
			for i, set := range tt.sets {
				rs := replicaSet(stableDeployment(), set.version, set.replicas)
				rs.Labels = map[string]string{"app": "web"}
				rs.Annotations = map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(i + 1)}
				cached = append(cached, rs)
				live = append(live, stored(t, rs, replicaSetKind, optional(newer, set.newer)))
			}
			s := &snapshot{dep: dep}
			s.Spec.Restart, s.Spec.RollbackWindow, s.Stable.Hold = spec.RestartRolling, 3, "7"
			if tt.notHeld {
				s.Stable.Hold = ""
			}
			if tt.hasCanary {
				s.canaryDep = dep
			}
			r := &Reconciler{Client: replicaSets(t, cached), Live: newerServer(live...)}
			if err := r.observeReplicaSets(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if err := r.compareWhole(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if got := (result{s.Stable.Runs, s.Stable.TemplateRuns, s.Stable.RevisionsAgo}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func optional(path, value string) map[string]any {
	if value == "" {
		return nil
	}
	return map[string]any{path: value}
}

// An ordinary rollout costs no look at the API server: templates that differ in the
// caches do differ.
func TestTemplatesThatDifferInTheCachesNeedNoLook(t *testing.T) {
	s := &snapshot{dep: stableDeployment(), canaryDep: stableDeployment()}
	s.Stable = rollout.Stable{Hold: "7", Runs: true, RevisionsAgo: 1}
	s.Spec.RollbackWindow = 3
	if err := (&Reconciler{}).compareWhole(t.Context(), s); err != nil { // it would panic without a client
		t.Fatal(err)
	}
}

// A template that only looks like the running one is not released without a canary.
func TestReleaseComparesWholeTemplates(t *testing.T) {
	s := newFixture(t)
	s.canaryDep = nil
	s.Stable.Runs, s.Stable.TemplateRuns = true, true
	rs := replicaSet(s.dep, version{"web:v2", ""}, 4)
	rs.Labels = s.dep.Spec.Selector.MatchLabels
	d := rollout.Decision{Hold: rollout.Release}
	for _, newer := range []string{"b", "a"} {
		s.Live = newerServer(
			stored(t, s.dep, deploymentKind, map[string]any{"spec.template.spec.newer": "a"}),
			stored(t, rs, replicaSetKind, map[string]any{"spec.template.spec.newer": newer}),
		)
		err := s.writeStable(t.Context(), s.snapshot, d)
		if same := newer == "a"; same != (err == nil) || !same && !errors.Is(err, errStale) || same != (len(s.ledger.writes) == 1) {
			t.Errorf("with %s beside a: writeStable() = %v, writes %v", newer, err, s.ledger.writes)
		}
	}
}

// A cache that is behind is no error: the next look comes soon.
func TestReconcileWaitsForTheCache(t *testing.T) {
	dep := stableDeployment()
	newer := dep.DeepCopy()
	newer.Generation++
	c := indexed(appsScheme(t)).WithObjects(dep, replicaSet(dep, version{"web:v2", ""}, 4)).Build()
	r := &Reconciler{Client: c, Live: newerServer(stored(t, newer, deploymentKind, nil))}
	got, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(dep)})
	if want := (ctrl.Result{RequeueAfter: staleRetryDelay}); err != nil || got != want {
		t.Errorf("Reconcile() = %v, %v; want %v", got, err, want)
	}
}

// A Job has every field of its template, and what it needs to test the canary.
func TestJobHasEveryFieldThatWasSent(t *testing.T) {
	s := atJobStep(t)
	cron := smoke()
	pod := "spec.template.spec."
	container := pod + "containers.0."
	more := map[string]any{
		"spec.newer": "a", pod + "newer": "b", container + "newer": "c",
		container + "env": []any{
			map[string]any{"name": "HEADGATE_WEIGHT", "value": "0", "newer": "of a variable that is left out"},
			map[string]any{"name": "URL", "value": "http://$(HEADGATE_CANARY_ADDRESS)/", "newer": "d"},
		},
	}
	inCron := map[string]any{"spec.jobTemplate.spec.suspend": true}
	for path, value := range more {
		inCron[strings.Replace(path, "spec.", "spec.jobTemplate.spec.", 1)] = value
	}
	s.Live = newerServer(stored(t, cron, batchv1.SchemeGroupVersion.WithKind("CronJob"), inCron))
	goal := rollout.JobGoal{Template: "smoke"}
	if got, err := s.prepareJob(t.Context(), s.snapshot, goal, "web-canary-7-1-0"); err != nil || got.Phase != rollout.JobMissing {
		t.Fatalf("prepareJob() = %+v, %v", got, err)
	}

	typed := newJob(s.snapshot, cron, "web-canary-7-1-0", "web-canary.shop.svc:80")
	delete(more, container+"env")
	want := stored(t, typed, batchv1.SchemeGroupVersion.WithKind("Job"), more)
	containers, _, _ := unstructured.NestedSlice(want.Object, "spec", "template", "spec", "containers")
	curl := containers[0].(map[string]any)
	curl["env"] = append(curl["env"].([]any), map[string]any{
		"name": "URL", "value": "http://$(HEADGATE_CANARY_ADDRESS)/", "newer": "d",
	})
	if err := unstructured.SetNestedSlice(want.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Object, s.canaryJobs.toCreate.Object); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

func TestChangeFields(t *testing.T) {
	type object = map[string]any
	type list = []any
	for name, tt := range map[string]struct{ sent, known, changed, want any }{
		"nothing":      {object{"a": 1, "new": 2}, object{"a": 1}, object{"a": 1}, object{"a": 1, "new": 2}},
		"a value":      {object{"a": 1, "new": 2}, object{"a": 1}, object{"a": 3}, object{"a": 3, "new": 2}},
		"a field more": {object{"new": 2}, object{}, object{"a": object{"b": 1}}, object{"a": object{"b": 1}, "new": 2}},
		"a field less": {object{"a": 1, "new": 2}, object{"a": 1}, object{}, object{"new": 2}},
		"a value beside what the types add": {
			object{"a": 1, "new": 2}, object{"a": 1, "resources": object{}}, object{"a": 3, "resources": object{}}, object{"a": 3, "new": 2},
		},
		"an item": {
			list{object{"a": 1, "new": 2}}, list{object{"a": 1}}, list{object{"a": 3}}, list{object{"a": 3, "new": 2}},
		},
		"an item more, at the front": {
			list{object{"a": 1, "new": 2}}, list{object{"a": 1}}, list{object{"b": 3}, object{"a": 1}},
			list{object{"b": 3}, object{"a": 1, "new": 2}},
		},
		"an item less": {
			list{object{"a": 1, "new": 1}, object{"a": 2, "new": 2}}, list{object{"a": 1}, object{"a": 2}}, list{object{"a": 2}},
			list{object{"a": 2, "new": 2}},
		},
		"a list where there was an object": {object{"new": 1}, object{}, list{1}, list{1}},
		"an object where there was none":   {nil, nil, object{"a": 1}, object{"a": 1}},
		"a list that does not fit":         {list{1, 2}, list{1}, list{3}, list{3}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, changeFields(tt.sent, tt.known, tt.changed)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever is changed: without the fields that nobody here knows, the result is what
// was wanted. No change gives what was sent.
func TestChangeFieldsMakesTheChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent, changed := drawJSON(t, 3, true), drawJSON(t, 3, false)
		known := withoutNewer(sent)
		if rapid.Bool().Draw(t, "edit") {
			changed = editJSON(t, known)
		}
		if diff := cmp.Diff(changed, withoutNewer(changeFields(sent, known, changed))); diff != "" {
			t.Fatalf("the change was not made (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(sent, changeFields(sent, known, known)); diff != "" {
			t.Fatalf("without a change something is lost (-want +got):\n%s", diff)
		}
	})
}

// drawJSON draws a value. With newer, its objects may have a field "newer".
func drawJSON(t *rapid.T, depth int, newer bool) any {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	switch {
	case depth == 0 || kind == 0:
		return rapid.SampledFrom([]any{"x", "y", int64(1), true, nil}).Draw(t, "value")
	case kind == 1:
		out := make([]any, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range out {
			out[i] = drawJSON(t, depth-1, newer)
		}
		return out
	default:
		out := map[string]any{}
		for _, key := range []string{"a", "b", "name"} {
			if rapid.Bool().Draw(t, key) {
				out[key] = drawJSON(t, depth-1, newer)
			}
		}
		if newer && rapid.Bool().Draw(t, "newer") {
			out["newer"] = "kept"
		}
		return out
	}
}

// editJSON returns value with some parts of it drawn again.
func editJSON(t *rapid.T, value any) any {
	if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		return drawJSON(t, 2, false)
	}
	switch value := value.(type) {
	case map[string]any:
		out := maps.Clone(value)
		for _, key := range []string{"a", "b", "name"} {
			if item, ok := out[key]; ok {
				out[key] = editJSON(t, item)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = editJSON(t, value[i])
		}
		return out
	}
	return value
}

func withoutNewer(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, item := range value {
			if key != "newer" {
				out[key] = withoutNewer(item)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = withoutNewer(value[i])
		}
		return out
	}
	return value
}
