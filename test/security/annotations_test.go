package security

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	authv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// TestAnnotations makes every attempt of the table. At the end Headgate has done nothing
// outside the users' namespaces.
func TestAnnotations(t *testing.T) {
	known := constants(t)
	for _, key := range known {
		if _, ok := attempts[key]; !ok {
			t.Errorf("attempts has no row for %s: say what a user in bad faith may write there, and what must not come of it", key)
		}
	}
	for key := range attempts {
		if !slices.Contains(known, key) {
			t.Errorf("attempts has a row for %s, which rollout/spec/annotations.go does not have", key)
		}
	}
	t.Cleanup(func() { stayedInside(t) })
	for key, a := range attempts {
		t.Run(key[strings.Index(key, "/")+1:], func(t *testing.T) {
			t.Parallel()
			if len(a.refused) > 0 {
				isRefused(t, key, a.refused)
			}
			for name, do := range a.stored {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					do(newUser(t))
				})
			}
		})
	}
}

// constants are the values of the annotations in rollout/spec/annotations.go.
func constants(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../rollout/spec/annotations.go")
	must(t, err)
	var keys []string
	for _, m := range regexp.MustCompile(`\bAnnotation\w+ += "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		keys = append(keys, m[1])
	}
	if len(keys) < 20 {
		t.Fatalf("found %d annotations", len(keys))
	}
	return keys
}

// isRefused writes each value in three ways: on a Deployment that opted in, on a new one, and
// on one that opts in afterwards.
func isRefused(t *testing.T, key string, values map[string]string) {
	u := &user{T: t, Sample: lab.Sample{Namespace: underload.Namespace(t, shared, "user-"), Name: "opted-in", Version: "v1"}}
	u.Client = u.person("editor", nil, editors...)
	create := func(name string, annotations map[string]string) error {
		dep := lab.Sample{Namespace: u.Namespace, Name: name, Version: "v1", Annotations: annotations}.Deployment()
		dep.Spec.Replicas = new(int32(0))
		return u.Create(t.Context(), dep)
	}
	u.must(create("opted-in", map[string]string{spec.AnnotationStrategy: "canary"}))
	for i, value := range slices.Sorted(maps.Keys(values)) {
		check := func(how string, err error) {
			t.Helper()
			if err == nil || !slices.ContainsFunc(strings.Split(values[value], either), func(words string) bool {
				return strings.Contains(err.Error(), words)
			}) {
				t.Errorf("%q, %s: the answer is %v, want one with %q", value, how, err, values[value])
			}
		}
		check("on a Deployment that opted in", annotate(t.Context(), u, u.Deployment(), map[string]any{key: value}))
		both := map[string]string{spec.AnnotationStrategy: "canary"}
		both[key] = value
		check("on a new one", create("created-"+strconv.Itoa(i), both))
		if key == spec.AnnotationStrategy {
			continue // it opts in itself
		}
		late := lab.Sample{Namespace: u.Namespace, Name: "late-" + strconv.Itoa(i)}
		u.must(create(late.Name, map[string]string{key: value}))
		check("before it opts in", annotate(t.Context(), u, late.Deployment(), map[string]any{spec.AnnotationStrategy: "canary"}))
	}
}

// stayedInside looks at all that Headgate did. The context of the test is over.
func stayedInside(t *testing.T) {
	writes, err := shared.HeadgateWrites()
	must(t, err)
	seen := 0
	for _, w := range writes {
		switch {
		case strings.HasPrefix(w.Namespace, "user-"):
			seen++
		case w.Namespace == lab.HeadgateNamespace && slices.Contains([]string{"secrets", "events"}, w.Resource): // its certificate; who leads
		case w.Namespace == "" && w.Resource == "mutatingwebhookconfigurations":
		default:
			t.Errorf("Headgate did %s %s %s/%s", w.Verb, w.Resource, w.Namespace, w.Name)
		}
	}
	if seen == 0 {
		t.Error("Headgate wrote nothing for the users, so this shows nothing")
	}
	if paths := elsewhere.asked(); len(paths) > 0 {
		t.Errorf("Headgate asked an address that the operator allows to nobody here: %v", paths)
	}
	for _, path := range gates.asked() {
		if path != "/open" && !strings.HasPrefix(path, "/open/") {
			t.Errorf("Headgate asked for %s, which is not below /open", path)
		}
	}
	for _, key := range []client.ObjectKey{{Namespace: tenant, Name: "theirs"}, {Namespace: lab.HeadgateNamespace, Name: "headgate"}} {
		dep := lab.Sample{Namespace: key.Namespace, Name: key.Name}.Deployment()
		must(t, shared.Client().Get(context.Background(), key, dep))
		if dep.DeletionTimestamp != nil || dep.Status.AvailableReplicas != 1 {
			t.Errorf("Deployment %s is not as it was: %+v", key, dep.Status)
		}
	}
}

// groups are the API groups of what Headgate writes for users.
var groups = map[string]string{
	"deployments": "apps", "replicasets": "apps", "services": "", "pods": "", "ingresses": "networking.k8s.io",
	"horizontalpodautoscalers": "autoscaling", "jobs": "batch",
}

// couldDoTheSame checks every write of Headgate in the namespace of u: the user has the right
// to do the same. Events and the status of the Deployment say only what Headgate did.
func (u *user) couldDoTheSame() {
	writes, err := shared.HeadgateWrites()
	if err != nil {
		u.Error(err)
	}
	asked := map[authv1.ResourceAttributes]bool{}
	for _, w := range writes {
		if w.Namespace != u.Namespace || w.Resource == "events" || w.Resource == "deployments" && w.Subresource == "status" {
			continue
		}
		group, known := groups[w.Resource]
		right := authv1.ResourceAttributes{
			Namespace: w.Namespace, Verb: w.Verb, Group: group, Resource: w.Resource, Subresource: w.Subresource,
		}
		if !known || !asked[right] && !u.may(right) {
			u.Errorf("Headgate did %s %s %s, which the user may not", w.Verb, w.Resource, w.Name)
		}
		asked[right] = true
	}
}

func (u *user) may(right authv1.ResourceAttributes) bool {
	review := &authv1.SubjectAccessReview{Spec: authv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + u.Namespace + ":editor", ResourceAttributes: &right,
	}}
	if err := shared.Client().Create(context.Background(), review); err != nil {
		u.Error(err)
	}
	return review.Status.Allowed
}
