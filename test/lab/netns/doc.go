// Package netns gives the lab a machine of its own: Enter re-executes the
// current program in a fresh network and process namespace, and Namespace is
// one pod's network inside it, with an address of its own.
//
// Nothing leaves the namespace and nothing outlives it: when its first process ends, by
// any signal, the kernel kills all others. The file system is the host's, except for the
// files that DoWithFiles replaces. The package does not know Kubernetes; test/lab and
// test/lab/node call it.
package netns
