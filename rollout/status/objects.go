package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
)

// Objects is what a Status is made of: the Deployment, and the objects of its namespace.
// Objects of other Deployments among them are left out. Deployment is required.
type Objects struct {
	Now         time.Time
	Deployment  *appsv1.Deployment
	Canary      *appsv1.Deployment // nil: there is none, or it was not read
	ReplicaSets []appsv1.ReplicaSet
	Pods        []corev1.Pod
	Ingresses   []netv1.Ingress
	Events      []eventsv1.Event

	// Measured tells the metrics from the rules and the evidence of a rollout, which only
	// the judge can read. nil: no metrics are told.
	Measured func(rules, evidence string) []Metric

	// WeightKeys are the annotations of a canary Ingress that may hold its weight. None means
	// that of ingress-nginx.
	WeightKeys []string

	Unread []string // goes into the Status
}

// nginxWeight is where ingress-nginx and Traefik read the weight.
const nginxWeight = "nginx.ingress.kubernetes.io/canary-weight"

// ReplicaSetsOf returns the ReplicaSets of dep, the one with the highest revision first.
func (o Objects) ReplicaSetsOf(dep *appsv1.Deployment) []appsv1.ReplicaSet {
	var own []appsv1.ReplicaSet
	for _, rs := range o.ReplicaSets {
		if metav1.IsControlledBy(&rs, dep) {
			own = append(own, rs)
		}
	}
	slices.SortFunc(own, func(a, b appsv1.ReplicaSet) int {
		return cmp.Compare(RevisionNumber(&b), RevisionNumber(&a))
	})
	return own
}

// canaryIngresses returns the canary Ingresses that Headgate made for the Deployment,
// sorted by name. A preview has no weight and is not among them.
func (o Objects) canaryIngresses() []netv1.Ingress {
	var own []netv1.Ingress
	for _, ing := range o.Ingresses {
		if rollout.Owns(o.Deployment, &ing) && !strings.HasSuffix(ing.Name, "-preview") {
			own = append(own, ing)
		}
	}
	slices.SortFunc(own, func(a, b netv1.Ingress) int { return strings.Compare(a.Name, b.Name) })
	return own
}
