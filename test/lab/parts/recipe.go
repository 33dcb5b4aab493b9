package parts

// recipe says how a part is made and when an installed program will do instead.
type recipe struct {
	version string
	module  string // directory of the build module, from the root of the repository
	target  string // package to build there
	ldflags string

	// The release of Go that compiles it, as in "go1.27.3", which the go command fetches like a
	// module; "" means the one that is installed.
	toolchain string

	always bool // the source is the checkout itself: build at every Ensure

	assets     bool     // looked for in KUBEBUILDER_ASSETS
	path       bool     // looked for on PATH
	askVersion []string // arguments that make the program print its version
	fits       fit
}

const (
	buildModule       = "test/lab/build"
	kubernetes        = "1.37.2"
	kubernetesLDFlags = "-s -w" +
		// Clients and controllers refuse the default, v0.0.0.
		" -X k8s.io/component-base/version.gitVersion=v" + kubernetes +
		" -X k8s.io/component-base/version.gitMajor=1" +
		" -X k8s.io/component-base/version.gitMinor=37"
)

// recipes are the parts. The versions repeat what the go.mod files pin; a test
// compares the two.
var recipes = map[Part]recipe{
	Etcd: {
		version: "3.7.0", module: buildModule, target: "go.etcd.io/etcd/server/v3", ldflags: "-s -w",
		assets: true, askVersion: []string{"--version"}, fits: atLeast("3.6"),
	},
	APIServer: {
		version: kubernetes, module: buildModule, target: "k8s.io/kubernetes/cmd/kube-apiserver", ldflags: kubernetesLDFlags,
		assets: true, askVersion: []string{"--version"}, fits: release("1.37"),
	},
	ControllerManager: {
		version: kubernetes, module: buildModule, target: "./kube-controller-manager", ldflags: kubernetesLDFlags,
		assets: true, askVersion: []string{"--version"}, fits: release("1.37"),
	},
	Traefik: {
		version: "3.7.13", module: buildModule, target: "github.com/traefik/traefik/v3/cmd/traefik",
		ldflags: "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=3.7.13",
		path:    true, askVersion: []string{"version"}, fits: atLeast("3.7"), // the first that honours canary annotations: traefik/traefik#12739
	},
	Prometheus: {
		version: "3.16.0", module: buildModule, target: "./prometheus", ldflags: "-s -w -X main.version=3.16.0",
		path: true, askVersion: []string{"--version"}, fits: atLeast("2.40"),
	},
	Kubectl: {
		version: kubernetes, module: buildModule, target: "k8s.io/kubernetes/cmd/kubectl", ldflags: kubernetesLDFlags,
		assets: true, path: true, askVersion: []string{"version", "--client"}, fits: atLeast("1.30"),
	},
	ArgoRollouts: {
		version: "1.10.1", module: "test/lab/build/argorollouts", target: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
		ldflags: "-s -w -X github.com/argoproj/argo-rollouts/utils/version.version=1.10.1",
	},
	ArgoCD: {
		version: "3.6.1", module: "test/lab/build/argocd", target: "./argocd-engine",
		ldflags:   "-s -w -X github.com/argoproj/argo-cd/v3/common.version=3.6.1",
		toolchain: "go1.27.3", // it declares go 1.27
	},
	Headgate: {module: ".", target: "./cmd/headgate", always: true},
	Plugin:   {module: ".", target: "./cmd/kubectl-headgate", always: true},
}
