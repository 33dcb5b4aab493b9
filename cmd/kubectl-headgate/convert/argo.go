package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rollout converts a Rollout of Argo Rollouts.
func (c *conversion) rollout() error {
	f := c.open(c.from)
	s := f.at("spec")
	dep, err := c.rolloutWorkload(f)
	if err != nil {
		return err
	}
	c.rolloutTimes(s)
	blueGreen, canary := s.at("strategy", "blueGreen"), s.at("strategy", "canary")
	update := mapping()
	switch {
	case blueGreen.there() && !canary.there():
		c.argoBlueGreen(blueGreen, update)
	case canary.there():
		c.argoCanary(canary, update)
	default:
		return errors.New("it has neither spec.strategy.canary nor spec.strategy.blueGreen, so Argo Rollouts refuses it too")
	}
	if len(update.Content) > 0 {
		putUpdate(lookup(dep, "spec"), update)
	}
	c.scalersOf()
	return c.finish(dep)
}

// putUpdate sets the strategy of a Deployment, before its selector if it had none.
func putUpdate(spec, update *yaml.Node) {
	strategy := mapping()
	put(strategy, "type", str("RollingUpdate"))
	put(strategy, "rollingUpdate", update)
	at := slices.IndexFunc(spec.Content, func(n *yaml.Node) bool { return n.Value == "selector" })
	if at < 0 || lookup(spec, "strategy") != nil {
		put(spec, "strategy", strategy)
		return
	}
	spec.Content = slices.Insert(spec.Content, at, str("strategy"), strategy)
}

// rolloutWorkload is the Deployment without annotations of Headgate: the template of the Rollout, or of what its
// workloadRef names.
func (c *conversion) rolloutWorkload(f field) (*yaml.Node, error) {
	s := f.at("spec")
	ref := s.at("workloadRef")
	if !ref.there() {
		if !s.at("template").there() {
			return nil, errors.New("it has neither spec.template nor spec.workloadRef")
		}
		dep := mapping()
		put(dep, "apiVersion", str("apps/v1"))
		put(dep, "kind", str("Deployment"))
		put(dep, "metadata", f.metadata(keepOfRollout))
		spec := child(dep, "spec")
		c.rolloutNumbers(s, spec)
		put(spec, "selector", s.at("selector").copied())
		put(spec, "template", s.at("template").copied())
		return dep, nil
	}
	kind, name := ref.at("kind").text(), ref.at("name").text()
	ref.at("apiVersion").use()
	ref.at("scaleDown").unneeded("the Deployment keeps its pods")
	o := find(c.objects, kind, c.from.namespace(), name)
	if o == nil {
		return nil, fmt.Errorf("spec.workloadRef names %s %s, which is not in the input: add its file with -f", kind, name)
	}
	if kind != "Deployment" {
		return nil, fmt.Errorf("spec.workloadRef names a %s: write its template into the Rollout, or refer to a Deployment", kind)
	}
	f.fromCluster()
	for _, e := range f.at("metadata").entries() {
		if e.key != "name" && e.key != "namespace" && !e.read() {
			e.lost("the Deployment keeps its own")
		}
	}
	if f.at("metadata", "name").text() != name {
		f.at("metadata", "name").changed("the Deployment keeps its name, %s", name)
	}
	f.at("metadata", "namespace").use()
	dep := c.deployment(o)
	spec := child(dep, "spec")
	if valueOf(spec, "replicas") == "0" {
		drop(spec, "replicas") // parked by Argo Rollouts
	}
	c.rolloutNumbers(s, spec)
	s.at("selector").use()
	s.at("template").unneeded("spec.workloadRef has the template")
	return dep, nil
}

// rolloutNumbers are the fields that a Deployment has too.
func (c *conversion) rolloutNumbers(s field, spec *yaml.Node) {
	for _, key := range []string{"replicas", "revisionHistoryLimit", "minReadySeconds", "progressDeadlineSeconds"} {
		put(spec, key, s.at(key).copied())
	}
}

func keepOfRollout(a entry) bool {
	if strings.HasPrefix(a.key, "notifications.argoproj.io/") {
		a.lost("Headgate tells by events, the condition and metrics; it sends no notifications")
		return false
	}
	return true
}

// rolloutTimes are the fields of the Rollout beside its strategy.
func (c *conversion) rolloutTimes(s field) {
	c.progressDeadline(s.at("progressDeadlineSeconds"))
	if abort := s.at("progressDeadlineAbort"); abort.there() && !abort.truth() {
		abort.changed("at the progress-deadline Headgate always rolls back")
	}
	if n, ok := s.at("rollbackWindow", "revisions").number(); ok {
		if n < 1 || n > 100 {
			s.at("rollbackWindow", "revisions").lost("a rollback window is 1..100 revisions")
		} else {
			c.plan.rollbackWindow = n
		}
	}
	if s.at("paused").truth() {
		s.at("paused").lost("spec.paused is Headgate's hold, so it cannot be in git; during a rollout type kubectl headgate pause")
	}
	s.at("restartAt").unneeded("kubectl rollout restart restarts a Deployment")
	s.at("analysis").unneeded("Headgate makes no objects for measurements, so there is no history to limit")
}

// scalersOf names what scales the Rollout: it must scale the Deployment.
func (c *conversion) scalersOf() {
	for _, o := range c.objects {
		for _, key := range []string{"scaleTargetRef", "targetRef"} {
			ref := lookup(o.root, "spec", key)
			if valueOf(ref, "kind") != "Rollout" || valueOf(ref, "name") != c.from.name() {
				continue
			}
			f := field{c: c, of: o, node: o.root}.at("spec", key)
			f.note(Changed, "it names Rollout %s: let it name Deployment %[1]s of apps/v1", c.from.name())
		}
	}
}
