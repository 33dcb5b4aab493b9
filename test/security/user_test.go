package security

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// user has the rights of Kubernetes' role edit in one namespace and no others, and an
// application there. Nobody sends requests to it.
type user struct {
	*testing.T
	lab.Sample
	client.Client // with the user's own token
}

// editors are the rules that the role edit is made of.
var editors = []string{"system:aggregate-to-edit", "system:aggregate-to-view"}

// newUser makes a user whose application runs v1 and did not opt in.
func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{T: t, Sample: lab.Sample{Namespace: underload.Namespace(t, shared, "user-"), Name: "web", Version: "v1", Scrape: true}}
	u.Client = u.person("editor", nil, editors...)
	u.must(u.Create(t.Context(), u.Service()))
	u.must(u.Create(t.Context(), u.Ingress()))
	u.must(u.Create(t.Context(), u.Deployment()))
	u.must(shared.Available(u.within(time.Minute), u.Deployment()))
	t.Cleanup(func() {
		u.readNoSecret()
		u.couldDoTheSame()
	})
	return u
}

// person returns a client with the token of a new ServiceAccount. In the namespace of u it
// has a Role with rules, and ClusterRoles.
func (u *user) person(name string, rules []rbacv1.PolicyRule, clusterRoles ...string) client.Client {
	u.Helper()
	meta := metav1.ObjectMeta{Namespace: u.Namespace, Name: name}
	objects := []client.Object{
		&corev1.ServiceAccount{ObjectMeta: meta},
		&rbacv1.Role{ObjectMeta: meta, Rules: rules},
		binding(meta, name, "Role", name),
	}
	for i, role := range clusterRoles {
		bound := meta
		bound.Name = fmt.Sprintf("%s-%d", name, i)
		objects = append(objects, binding(bound, name, "ClusterRole", role))
	}
	for _, obj := range objects {
		u.must(shared.Client().Create(u.Context(), obj))
	}
	config, err := shared.ConfigFor(u.Context(), u.Namespace, name)
	u.must(err)
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.New(config, client.Options{})
	u.must(err)
	if len(rules) > 0 {
		u.awaitRight(c, rules[0].APIGroups[0], rules[0].Resources[0], rules[0].Verbs[0])
	}
	for _, role := range clusterRoles {
		right := sample[role]
		u.awaitRight(c, right[0], right[1], right[2])
	}
	return c
}

// sample has one right of each ClusterRole: group, resource and verb.
var sample = map[string][3]string{
	"system:aggregate-to-edit": {"apps", "deployments", "create"},
	"system:aggregate-to-view": {"", "pods", "list"},
}

// awaitRight waits until the API server knows of a new right.
func (u *user) awaitRight(c client.Client, group, resource, verb string) {
	u.Helper()
	u.must(lab.Poll(u.within(time.Minute), func() error {
		review := &authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authv1.ResourceAttributes{Namespace: u.Namespace, Group: group, Resource: resource, Verb: verb},
		}}
		err := c.Create(u.Context(), review)
		if err == nil && !review.Status.Allowed {
			err = fmt.Errorf("the person may not %s %s yet", verb, resource)
		}
		return err
	}))
}

func binding(meta metav1.ObjectMeta, account, kind, role string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: meta.Namespace, Name: account}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
	}
}

// behindTheWebhook returns a client that the API server takes for Headgate, so that nothing is
// checked when it writes an annotation: as where the API server holds templates by its policy,
// or where the webhook was away.
func behindTheWebhook(t *testing.T) client.Client {
	t.Helper()
	config := shared.RESTConfig()
	config.Impersonate = rest.ImpersonationConfig{UserName: headgate, Groups: []string{"system:masters"}}
	c, err := client.New(config, client.Options{})
	must(t, err)
	return c
}

// headgate is who Headgate is to the API server.
const headgate = "system:serviceaccount:" + lab.HeadgateNamespace + ":headgate"

// annotate writes annotations of an object with the rights of c. nil removes one.
func annotate(ctx context.Context, c client.Client, obj client.Object, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	return c.Patch(ctx, obj.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, patch))
}

// optIn opts the application in, with further annotations, and waits until Headgate knows it.
func (u *user) optIn(steps string, annotations map[string]any) {
	u.Helper()
	all := map[string]any{spec.AnnotationStrategy: "canary", spec.AnnotationSteps: steps}
	for key, value := range annotations {
		all[key] = value
	}
	u.must(annotate(u.Context(), u, u.Deployment(), all))
	u.await(reason.Ready, "")
}

// ship brings a new version, as the user.
func (u *user) ship(version string) {
	u.Helper()
	now := u.now()
	next := now.DeepCopy()
	next.Spec.Template.Spec.Containers[0].Image = lab.Image(version)
	u.must(u.Patch(u.Context(), next, client.MergeFrom(now)))
}

func (u *user) command(verb string) {
	u.Helper()
	u.must(annotate(u.Context(), u, u.Deployment(), map[string]any{spec.AnnotationCommand: verb}))
}

// now reads the Deployment, as the user.
func (u *user) now() *appsv1.Deployment {
	u.Helper()
	dep := u.Deployment()
	u.must(u.Get(u.Context(), client.ObjectKeyFromObject(dep), dep))
	return dep
}

// await waits until Headgate's condition has this reason, and words in its message.
func (u *user) await(want reason.Reason, words string) {
	u.Helper()
	u.must(lab.Poll(u.within(time.Minute), func() error {
		if now, message := underload.Condition(u.now()); now != want || !strings.Contains(message, words) {
			return fmt.Errorf("want %s with %q, it is %s: %s", want, words, now, message)
		}
		return nil
	}))
}

// awaitEvent waits until an event of the Deployment has words.
func (u *user) awaitEvent(words string) {
	u.Helper()
	u.must(lab.Poll(u.within(time.Minute), func() error {
		var events eventsv1.EventList
		u.must(u.List(u.Context(), &events, client.InNamespace(u.Namespace)))
		for _, e := range events.Items {
			if strings.Contains(e.Note, words) {
				return nil
			}
		}
		return fmt.Errorf("no event has %q", words)
	}))
}

// isHeld says whether the template waits as a rollout.
func (u *user) isHeld() {
	u.Helper()
	if dep := u.now(); !dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] == "" {
		u.Errorf("the template is not held: paused %v, annotations %v", dep.Spec.Paused, dep.Annotations)
	}
}

// readNoSecret checks all that the user may read after a test: Headgate has put nothing there
// that belongs to others.
func (u *user) readNoSecret() {
	ctx := context.Background() // that of the test is over
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &eventsv1.EventList{}, &corev1.ConfigMapList{}, &corev1.PodList{},
	} {
		if err := u.List(ctx, list, client.InNamespace(u.Namespace)); err != nil {
			u.Error(err)
			continue
		}
		text, err := json.Marshal(list)
		if err != nil {
			u.Error(err)
		}
		for _, secret := range []string{tenantsSecret, operatorsSecret, tenantsIngress} {
			if strings.Contains(string(text), secret) {
				u.Errorf("the user reads %q in %T", secret, list)
			}
		}
	}
}

// patience is by how much a limit is longer than what a wait takes at most on an idle machine.
const patience = 3

func (u *user) within(limit time.Duration) context.Context {
	limit *= patience
	ctx, cancel := context.WithTimeoutCause(u.Context(), limit, fmt.Errorf("not within %s", limit))
	u.Cleanup(cancel)
	return ctx
}

func (u *user) must(err error) {
	u.Helper()
	must(u.T, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
