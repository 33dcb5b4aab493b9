// Package lab runs a real Kubernetes from Go processes on one machine, for
// tests and for trying Headgate out: etcd, kube-apiserver and the controllers
// (controlplane), a node agent that runs each pod as a process on its own address
// (node), Services reached by name and cluster IP (service), an ingress controller that
// honours the nginx canary annotations (Traefik), Prometheus, load metrics for
// autoscalers (podmetrics), and Headgate from its own chart.
//
// Everything lives in a network namespace of its own (netns) and ends with
// the program that started it. No container runtime is used: images stand for programs. A test
// package's TestMain calls RunTests; cmd/lab calls Prepare and Start.
package lab
