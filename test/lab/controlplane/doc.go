// Package controlplane runs a real Kubernetes control plane: etcd,
// kube-apiserver with RBAC on, and kube-controller-manager with the
// controllers that a Deployment's life needs.
//
// There is no scheduler and no kubelet (test/lab/node is both) and no
// kube-proxy: the API server resolves a webhook's Service to pod addresses by itself. Data is
// thrown away with the lab. test/lab starts it.
package controlplane
