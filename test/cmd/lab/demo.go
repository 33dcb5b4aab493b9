package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

// sample is the service that "lab up" deploys and that "lab load" sends requests to by
// default.
var sample = lab.Sample{
	Namespace: "demo", Name: "web", Version: "v1", Scrape: true,
	Annotations: map[string]string{
		"headgate.dev/strategy": "canary",
		"headgate.dev/steps":    "10%, 20s, 50%, 20s, 100%, 10s",
	},
}

func demo(ctx context.Context, l *lab.Lab, f upFlags) error {
	s := sample
	s.Replicas = int32(f.pods)
	dep := s.Deployment()
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}, dep, s.Service(), s.Ingress(),
	} {
		if err := l.Client().Create(ctx, obj); err != nil {
			return fmt.Errorf("deploy the sample service: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // for thousands of hollow pods
	defer cancel()
	return l.Available(ctx, dep)
}

// welcome returns a text that says what runs and what to do next.
func welcome(l *lab.Lab, f upFlags) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe lab runs, in a network of its own. Enter it in another terminal with\n\n  %s shell --dir %s\n\n", os.Args[0], l.Dir)
	if f.pods > 0 {
		fmt.Fprintf(&b, "and there, for example\n\n"+
			"  kubectl -n %[1]s get deploy,pods\n"+
			"  curl -H 'Host: %[2]s' %[3]s\n"+
			"  kubectl -n %[1]s set image deploy/%[4]s app=%[5]s\n"+
			"  kubectl headgate -n %[1]s status %[4]s --watch\n\n",
			sample.Namespace, sample.Host(), l.Ingress.URL(), sample.Name, lab.Image("v2"))
	}
	fmt.Fprintf(&b, "kubectl     export KUBECONFIG=%s   (done in the shell)\n", l.Kubeconfig)
	fmt.Fprintf(&b, "Ingress     %s\n", l.Ingress.URL())
	if l.Prometheus != nil {
		fmt.Fprintf(&b, "Prometheus  %s\n", l.Prometheus.URL())
	}
	fmt.Fprintf(&b, "Logs        %s/*.log, pods/NAMESPACE/POD/CONTAINER.log\n\nCtrl-C stops it.\n", l.Dir)
	return b.String()
}
