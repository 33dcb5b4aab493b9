// Package lab runs a real Kubernetes from Go processes on one machine, for the
// tests and for trying Headgate out. No container runtime is used.
//
// # Where to start
//
// A test package calls RunTests in its TestMain, once; see lab_test.go here, or
// package test/e2e. Every test then uses the one running Lab, in a namespace of its
// own. The command test/cmd/lab calls Prepare and Start instead, and keeps the lab
// running for a person.
//
// # What a lab is
//
//	part                   where                    what it is
//	---------------------  -----------------------  ----------------------------------------------
//	etcd, kube-apiserver   controlplane             the real programs, Kubernetes 1.37
//	controller manager     controlplane             the real controllers, those that the lab needs
//	scheduler, kubelet     node                     runs each pod as processes on an IP of its own
//	kube-proxy, DNS        service                  leads Service names and cluster IPs to pods
//	ingress controller     ingress.go               Traefik; honours the nginx canary annotations
//	Prometheus             prometheus.go            scrapes Traefik and pods every second
//	metrics API            podmetrics               tells autoscalers how busy pods are
//	Headgate               headgate.go, chart.go    built from this checkout, installed by its chart
//	load                   load                     sends requests and remembers every answer
//
// parts builds the programs once and keeps them in the user's cache directory.
// netns gives a lab its own network and process namespace: nothing leaves it, and
// every process in it ends with the program that started the lab.
//
// # Where the logs are
//
// In Lab.Dir. Each part writes NAME.log there (traefik.log, prometheus.log, …), each
// container pods/NAMESPACE/POD/CONTAINER.log; Headgate's are below
// pods/headgate-system. audit.log has the requests to the API server, and lab.log what
// the client libraries of the test program log. RunTests prints the path of the directory
// before the first test. When a test fails, it keeps the directory and prints the path
// again in the last line. Otherwise Stop removes it.
//
// # Words
//
//   - part: a program that the lab runs.
//   - image: stands for a program, whatever is in a registry. Nothing is pulled.
//   - sample: the service that tests deploy (package app). Its tag is its version.
//   - smoke test: the sample Job (package smoke). It sends one request.
//   - hollow pod: a pod that is shown as ready and does not run, so that thousands
//     fit on the machine.
package lab
