package convert

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// serverFields are written by the cluster: a manifest has them if somebody read it from there.
var serverFields = []string{
	"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "generation", "managedFields",
	"ownerReferences", "resourceVersion", "selfLink", "uid",
}

// fromCluster marks what the cluster wrote into an object.
func (f field) fromCluster() {
	f.at("status").unneeded("the cluster writes it")
	for _, key := range serverFields {
		f.at("metadata", key).unneeded("the cluster writes it")
	}
	for _, e := range f.at("metadata", "annotations").entries() {
		if e.key == "kubectl.kubernetes.io/last-applied-configuration" || e.key == "deployment.kubernetes.io/revision" ||
			strings.HasPrefix(e.key, "rollout.argoproj.io/") {
			e.unneeded("the cluster writes it")
		}
	}
}

// metadata is that of f for the output, without what the cluster writes. keep says which annotations stay.
func (f field) metadata(keep func(entry) bool) *yaml.Node {
	f.fromCluster()
	out := mapping()
	for _, e := range f.at("metadata").entries() {
		switch e.key {
		case "name", "generateName", "namespace", "labels":
			put(out, e.key, e.copied())
		case "annotations":
			annotations := mapping()
			for _, a := range e.entries() {
				if !a.read() && keep(a) {
					put(annotations, a.key, a.copied())
				}
			}
			if len(annotations.Content) > 0 {
				put(out, e.key, annotations)
			}
		}
	}
	return out
}

// templateMetadata reads the metadata of a template of metrics.
func (f field) templateMetadata() {
	f.fromCluster()
	for _, key := range []string{"labels", "annotations"} {
		if m := f.at("metadata", key); m.there() && m.unread() {
			m.unneeded("the metrics are in an annotation of the Deployment, and there is no object for them")
		}
	}
	f.at("metadata").use()
}

func (e entry) read() bool { return !e.unread() }

// deployment is a Deployment of the input, for the output.
func (c *conversion) deployment(o *Object) *yaml.Node {
	f := c.open(o)
	out := mapping()
	put(out, "apiVersion", str("apps/v1"))
	put(out, "kind", str("Deployment"))
	put(out, "metadata", f.metadata(func(entry) bool { return true }))
	put(out, "spec", f.at("spec").copied())
	return out
}
