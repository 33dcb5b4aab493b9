package doctor

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headgate/headgate/cmd/kubectl-headgate/lint"
	"github.com/headgate/headgate/rollout/spec"
)

// deployments looks at the Deployments of the namespace as the manager does before a
// rollout.
func (e *examination) deployments(i *installation) {
	name := "Deployments"
	if e.Deployment != "" {
		name = "Deployment " + e.Deployment
	}
	wanted, err := e.wanted()
	switch {
	case apierrors.IsNotFound(err):
		e.add(Error, name, "kubectl headgate list -A", "there is no such Deployment in namespace %s", e.Namespace)
		return
	case err != nil:
		e.unread(name, "the Deployments of namespace "+e.Namespace, err)
		return
	case len(wanted) == 0:
		e.ok(name, "none of namespace %s is opted in", e.Namespace)
		return
	}
	set, hidden, err := e.surroundings(name)
	if err != nil {
		e.unread(name, "what a rollout would meet", err)
		return
	}
	result, err := set.Lint(e.ctx, lint.Options{Live: true, Router: i.routerOptions()})
	if err != nil {
		e.unread(name, "what a rollout would meet", err)
		return
	}
	for _, dep := range wanted {
		e.findings(dep, slices.DeleteFunc(slices.Clone(result.Findings), func(f lint.Finding) bool { return slices.Contains(hidden, f.Rule) }))
	}
}

// wanted are the Deployments to look at.
func (e *examination) wanted() ([]string, error) {
	if e.Deployment != "" {
		dep, err := e.Apps.Deployments(e.Namespace).Get(e.ctx, e.Deployment, metav1.GetOptions{})
		if err == nil && !spec.OptedIn(dep.Annotations) {
			return nil, fmt.Errorf("it is not opted in: it has no annotation %s", spec.AnnotationStrategy)
		}
		return []string{e.Deployment}, err
	}
	list, err := e.Apps.Deployments(e.Namespace).List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, dep := range list.Items {
		if spec.OptedIn(dep.Annotations) {
			names = append(names, dep.Name)
		}
	}
	return names, nil
}

// findings adds those about one Deployment.
func (e *examination) findings(dep string, findings []lint.Finding) {
	name, found := "Deployment "+dep, false
	for _, f := range findings {
		if f.Object != "Deployment "+e.Namespace+"/"+dep || f.Severity == lint.Note {
			continue
		}
		found = true
		level := Warning
		if f.Severity == lint.Error {
			level = Error
		}
		e.add(level, name, "docs/reasons.md explains "+f.Rule, "%s", f.Message)
	}
	if !found {
		e.ok(name, "nothing would keep a rollout from beginning")
	}
}

// kind is what a manager looks at.
type kind struct {
	name   string
	needed bool   // without it nothing can be said
	hides  string // the rule that would be wrong without it
	read   func() (runtime.Object, error)
}

func (e *examination) kinds() []kind {
	ns, all := e.Namespace, metav1.ListOptions{}
	return []kind{
		{"Deployments", true, "", func() (runtime.Object, error) { return e.Apps.Deployments(ns).List(e.ctx, all) }},
		{"Services", true, "", func() (runtime.Object, error) { return e.Core.Services(ns).List(e.ctx, all) }},
		{"Ingresses", true, "", func() (runtime.Object, error) { return e.ingresses(all) }},
		{"IngressClasses", true, "", func() (runtime.Object, error) { return e.Network.IngressClasses().List(e.ctx, all) }},
		{"pods", false, "", func() (runtime.Object, error) { return e.pods(all) }},
		{"ConfigMaps", false, "ConfigMapMissing", func() (runtime.Object, error) { return e.Core.ConfigMaps(ns).List(e.ctx, all) }},
		{"CronJobs", false, "JobUnavailable", func() (runtime.Object, error) { return e.Batch.CronJobs(ns).List(e.ctx, all) }},
		{"PersistentVolumeClaims", false, "", func() (runtime.Object, error) {
			return e.Core.PersistentVolumeClaims(ns).List(e.ctx, all)
		}},
		{"NetworkPolicies", false, "", func() (runtime.Object, error) { return e.Network.NetworkPolicies(ns).List(e.ctx, all) }},
		{"PodDisruptionBudgets", false, "", func() (runtime.Object, error) { return e.Policy.PodDisruptionBudgets(ns).List(e.ctx, all) }},
		{"HorizontalPodAutoscalers", false, "", func() (runtime.Object, error) {
			return e.Scaling.HorizontalPodAutoscalers(ns).List(e.ctx, all)
		}},
	}
}

// surroundings reads what a manager looks at. hidden are the rules that cannot be trusted,
// because what they are about may not be read.
func (e *examination) surroundings(name string) (set *lint.Set, hidden []string, err error) {
	set = lint.NewSet()
	for _, k := range e.kinds() {
		list, err := k.read()
		switch {
		case err == nil:
			if err := set.AddList(list); err != nil {
				return nil, nil, err
			}
		case k.needed:
			return nil, nil, fmt.Errorf("%s: %s", k.name, why(err))
		default:
			e.unread(name, k.name, err)
			hidden = append(hidden, k.hides)
		}
	}
	return set, hidden, nil
}

// pods are those of the namespace, and the ReplicaSets by which they belong to a
// Deployment: without these every pod would seem to be somebody else's.
func (e *examination) pods(all metav1.ListOptions) (runtime.Object, error) {
	pods, err := e.Core.Pods(e.Namespace).List(e.ctx, all)
	if err != nil {
		return nil, err
	}
	sets, err := e.Apps.ReplicaSets(e.Namespace).List(e.ctx, all)
	if err != nil {
		return nil, err
	}
	both := &corev1.List{}
	for i := range pods.Items {
		both.Items = append(both.Items, runtime.RawExtension{Object: &pods.Items[i]})
	}
	for i := range sets.Items {
		both.Items = append(both.Items, runtime.RawExtension{Object: &sets.Items[i]})
	}
	return both, nil
}

// ingresses are those of all namespaces, where one may have a host or a canary too, if they
// may be read.
func (e *examination) ingresses(all metav1.ListOptions) (*netv1.IngressList, error) {
	list, err := e.Network.Ingresses(metav1.NamespaceAll).List(e.ctx, all)
	if apierrors.IsForbidden(err) {
		return e.Network.Ingresses(e.Namespace).List(e.ctx, all)
	}
	return list, err
}
