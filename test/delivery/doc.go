// Package delivery tests how Headgate goes with what brings a version to a cluster and
// waits for it: Flux, Helm, kubectl, a CI job. They run as their own code or program, in a
// lab. What a user reads about them is docs/gitops.md.
package delivery
