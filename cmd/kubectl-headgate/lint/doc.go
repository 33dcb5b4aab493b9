// Package lint says what is wrong with Deployments that are opted in, and with what is
// around them, before anybody applies them. It knows manifests or objects that somebody
// read, and no cluster.
//
// It has no rules of its own about rollouts: the parsers of the annotations, the router and
// the controller find what they would find in a cluster (controller.Preflight). They read
// from a Set, which is a small API server in memory. What a manager never sees, because it
// is about manifests only, is in manifest.go.
package lint
