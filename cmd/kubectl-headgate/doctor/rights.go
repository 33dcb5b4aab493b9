package doctor

import (
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// right is some verbs on one kind of object.
type right struct {
	group, resource string
	verbs           []string
	sub             string
	without         string // what does not work without it
}

func (r right) String() string {
	resource := r.resource
	if r.sub != "" {
		resource += "/" + r.sub
	}
	return strings.Join(r.verbs, ", ") + " " + resource
}

// managerRights are the writes of a rollout and what it reads. A test compares them with the
// rules of the chart.
var managerRights = []right{
	{group: "apps", resource: "deployments", verbs: []string{"get", "list", "watch", "create", "patch", "delete"}},
	{group: "apps", resource: "deployments", sub: "status", verbs: []string{"patch"}},
	{group: "apps", resource: "replicasets", verbs: []string{"get", "list", "watch", "create", "patch", "delete"}},
	{group: "", resource: "services", verbs: []string{"get", "list", "watch", "create", "patch", "delete"}},
	{group: "networking.k8s.io", resource: "ingresses", verbs: []string{"get", "list", "watch", "create", "patch", "delete"}},
	{group: "networking.k8s.io", resource: "networkpolicies", verbs: []string{"get", "list", "watch"}},
	{group: "policy", resource: "poddisruptionbudgets", verbs: []string{"get", "list", "watch"}},
	{group: "autoscaling", resource: "horizontalpodautoscalers", verbs: []string{"get", "list", "watch", "patch"}},
	{group: "batch", resource: "jobs", verbs: []string{"get", "list", "watch", "create", "delete"}},
	{group: "batch", resource: "cronjobs", verbs: []string{"get"}},
	{group: "", resource: "persistentvolumeclaims", verbs: []string{"get"}},
	{group: "", resource: "pods", verbs: []string{"list", "patch", "delete"}},
	{group: "", resource: "configmaps", verbs: []string{"get"}},
	{group: "events.k8s.io", resource: "events", verbs: []string{"create", "patch"}},
}

// ownRights are what the commands of this program need.
var ownRights = []right{
	{group: "apps", resource: "deployments", verbs: []string{"get", "list", "watch"}, without: "no command works"},
	{group: "apps", resource: "deployments", verbs: []string{"patch"}, without: "no rollout can be steered"},
	{group: "apps", resource: "replicasets", verbs: []string{"list"}, without: "status and history are incomplete"},
	{group: "", resource: "pods", verbs: []string{"list"}, without: "status shows no pods"},
	{group: "networking.k8s.io", resource: "ingresses", verbs: []string{"list"}, without: "status does not show which weight is written"},
	{group: "events.k8s.io", resource: "events", verbs: []string{"list"}, without: "status and events do not show what was said"},
}

func (r right) attributes(namespace, verb string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: r.group, Resource: r.resource, Subresource: r.sub}
}

// managerRights asks whether the managers may do in the namespace what a rollout does.
func (e *examination) managerRights(i *installation) {
	const name = "rights of the managers"
	only := i.list("HEADGATE_NAMESPACES", "")
	namespace := e.Namespace
	if len(only) > 0 {
		namespace = only[0]
	}
	var missing []string
	for _, r := range managerRights {
		refused := right{group: r.group, resource: r.resource, sub: r.sub}
		for _, verb := range r.verbs {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: i.account(), Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + i.dep.Namespace, "system:authenticated"},
				ResourceAttributes: r.attributes(namespace, verb),
			}}
			answer, err := e.Auth.SubjectAccessReviews().Create(e.ctx, review, metav1.CreateOptions{})
			switch {
			case apierrors.IsForbidden(err):
				e.add(NotChecked, name, "", "you may not ask what others may do (create subjectaccessreviews)")
				return
			case err != nil:
				e.unread(name, "what the managers may do", err)
				return
			case !answer.Status.Allowed:
				refused.verbs = append(refused.verbs, verb)
			}
		}
		if len(refused.verbs) > 0 {
			missing = append(missing, refused.String())
		}
	}
	if len(missing) > 0 {
		e.add(Error, name, "upgrade the release with helm, which grants them", "%s may not, in namespace %s: %s", i.account(), namespace,
			strings.Join(missing, "; "))
		return
	}
	e.ok(name, "they may do in namespace %s what a rollout needs", namespace)
}

// ownRights asks whether the person may do what the commands do.
func (e *examination) ownRights() {
	const name = "your rights"
	var missing []string
	for _, r := range ownRights {
		for _, verb := range r.verbs {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: r.attributes(e.Namespace, verb),
			}}
			answer, err := e.Auth.SelfSubjectAccessReviews().Create(e.ctx, review, metav1.CreateOptions{})
			if err != nil {
				e.unread(name, "what you may do", err)
				return
			}
			if !answer.Status.Allowed {
				missing = append(missing, verb+" "+r.resource+" ("+r.without+")")
				break
			}
		}
	}
	if len(missing) > 0 {
		e.add(Warning, name, "ask for them, or use another namespace with -n",
			"you may not, in namespace %s: %s", e.Namespace, strings.Join(missing, "; "))
		return
	}
	e.ok(name, "you may do in namespace %s what the commands need", e.Namespace)
}
