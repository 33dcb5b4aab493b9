package parts

// Part names a program of the lab.
type Part string

// The programs.
const (
	Etcd              Part = "etcd"
	APIServer         Part = "kube-apiserver"
	ControllerManager Part = "kube-controller-manager"
	Traefik           Part = "traefik"
	Prometheus        Part = "prometheus"
	Kubectl           Part = "kubectl"
	Headgate          Part = "headgate" // the product, as it is in this checkout
	Plugin            Part = "kubectl-headgate"
	ArgoRollouts      Part = "argo-rollouts" // its controller, for the benchmark
	ArgoCD            Part = "argocd-engine" // what compares, syncs and judges in its controller
)

// Paths holds the absolute path of each part that Ensure was asked for.
type Paths map[Part]string

// Version is the version that Ensure builds, as in "1.37.2"; an installed
// program that it uses instead can have another. It is "" for Headgate, which
// is built as it is, and for a part that does not exist.
func Version(p Part) string { return recipes[p].version }
