// Package controlplane runs a real Kubernetes control plane: etcd,
// kube-apiserver with RBAC on, and kube-controller-manager with the
// controllers that a Deployment's life needs.
//
// There is no scheduler and no kubelet (test/lab/node is both), no kube-proxy
// and no DNS (test/lab/service is both): the API server resolves the Service of a
// webhook to pod addresses by itself. Data is thrown away with the lab. test/lab
// starts it.
package controlplane
