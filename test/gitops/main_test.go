package gitops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/parts"
)

const (
	settle = time.Second
	drain  = time.Second
)

const argoNamespace = "argocd"

var (
	shared *lab.Lab
	argo   *engine
)

func TestMain(m *testing.M) {
	lab.RunAsPod()
	// Before the lab, because it has no network.
	paths, err := parts.Ensure(context.Background(), os.Stderr, parts.ArgoCD)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	options := lab.Options{Node: true, Ingress: true, Prometheus: true, Headgate: true, Kubectl: true}
	lab.RunTests(m, options, func(l *lab.Lab) error {
		shared = l
		if err := installSettings(context.Background()); err != nil {
			return err
		}
		if argo, err = startEngine(paths[parts.ArgoCD], l.Kubeconfig, argoNamespace, filepath.Join(l.Dir, "argocd-engine.log")); err != nil {
			return err
		}
		return l.InstallHeadgate(context.Background(), map[string]string{
			"prometheus.address":       l.Prometheus.URL(),
			"prometheus.metricsSource": "traefik",
			"ingress.settle":           settle.String(),
			"ingress.drain":            drain.String(),
		})
	})
}

// installSettings creates argocd-cm as Argo CD has it, and does with it what docs/argocd.md
// tells to do.
func installSettings(ctx context.Context) error {
	meta := metav1.ObjectMeta{
		Namespace: argoNamespace, Name: "argocd-cm",
		Labels: map[string]string{"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"},
	}
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: argoNamespace}},
		&corev1.ConfigMap{ObjectMeta: meta},
	} {
		if err := shared.Client().Create(ctx, obj); err != nil {
			return err
		}
	}
	patch := filepath.Join("..", "..", "examples", "argocd", "argocd-cm.yaml")
	out, err := shared.Kubectl(ctx, "-n", argoNamespace, "patch", "configmap", "argocd-cm", "--patch-file", patch).CombinedOutput()
	if err != nil {
		return fmt.Errorf("patch argocd-cm: %w: %s", err, out)
	}
	return nil
}
