package doctor

import (
	"fmt"

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
	set, unread := e.surroundings()
	if unread != nil {
		e.unread(name, "what a rollout would meet", unread)
		return
	}
	result, err := set.Lint(e.ctx, lint.Options{Live: true, Router: i.routerOptions()})
	if err != nil {
		e.unread(name, "what a rollout would meet", err)
		return
	}
	for _, dep := range wanted {
		e.findings(dep, result.Findings)
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
	name, any := "Deployment "+dep, false
	for _, f := range findings {
		if f.Object != "Deployment "+e.Namespace+"/"+dep || f.Severity == lint.Note {
			continue
		}
		any = true
		level := Warning
		if f.Severity == lint.Error {
			level = Error
		}
		e.add(level, name, "docs/reasons.md explains "+f.Rule, "%s", f.Message)
	}
	if !any {
		e.ok(name, "nothing would keep a rollout from beginning")
	}
}

// surroundings reads what a manager looks at.
func (e *examination) surroundings() (*lint.Set, error) {
	set := lint.NewSet()
	all := metav1.ListOptions{}
	for what, read := range map[string]func() (runtime.Object, error){
		"Deployments":            func() (runtime.Object, error) { return e.Apps.Deployments(e.Namespace).List(e.ctx, all) },
		"ReplicaSets":            func() (runtime.Object, error) { return e.Apps.ReplicaSets(e.Namespace).List(e.ctx, all) },
		"pods":                   func() (runtime.Object, error) { return e.Core.Pods(e.Namespace).List(e.ctx, all) },
		"Services":               func() (runtime.Object, error) { return e.Core.Services(e.Namespace).List(e.ctx, all) },
		"ConfigMaps":             func() (runtime.Object, error) { return e.Core.ConfigMaps(e.Namespace).List(e.ctx, all) },
		"PersistentVolumeClaims": func() (runtime.Object, error) { return e.Core.PersistentVolumeClaims(e.Namespace).List(e.ctx, all) },
		"IngressClasses":         func() (runtime.Object, error) { return e.Network.IngressClasses().List(e.ctx, all) },
		"NetworkPolicies":        func() (runtime.Object, error) { return e.Network.NetworkPolicies(e.Namespace).List(e.ctx, all) },
		"PodDisruptionBudgets":   func() (runtime.Object, error) { return e.Policy.PodDisruptionBudgets(e.Namespace).List(e.ctx, all) },
		"HorizontalPodAutoscalers": func() (runtime.Object, error) {
			return e.Scaling.HorizontalPodAutoscalers(e.Namespace).List(e.ctx, all)
		},
		"CronJobs":  func() (runtime.Object, error) { return e.Batch.CronJobs(e.Namespace).List(e.ctx, all) },
		"Ingresses": func() (runtime.Object, error) { return e.ingresses(all) },
	} {
		list, err := read()
		if err != nil {
			return nil, fmt.Errorf("%s: %s", what, why(err))
		}
		if err := set.AddList(list); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// ingresses are those of all namespaces, where one may have a host or a canary too, if they
// may be read.
func (e *examination) ingresses(all metav1.ListOptions) (runtime.Object, error) {
	list, err := e.Network.Ingresses(metav1.NamespaceAll).List(e.ctx, all)
	if apierrors.IsForbidden(err) {
		return e.Network.Ingresses(e.Namespace).List(e.ctx, all)
	}
	return list, err
}
