package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab"
)

// Short, so that a test takes seconds. Traefik applies a change within 200 ms here.
const (
	settle = time.Second
	drain  = 2 * time.Second
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Ingress: true, Prometheus: true, Headgate: true, Kubectl: true, Metrics: true}, func(l *lab.Lab) {
		shared = l
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := metrics.start(metricsAddress(), l.Prometheus.URL()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := l.InstallHeadgate(ctx, map[string]string{
			"prometheus.address":       "http://" + metricsAddress(),
			"prometheus.metricsSource": "traefik",
			"ingress.settle":           settle.String(),
			"ingress.drain":            drain.String(),
			// Every test has a host of its own, and its preview is below that.
			"ingress.previewBelowOwnHosts": "true",
			"canary.labels." + teamLabel:   team,
			"gates.addresses":              "{http://" + gateAddress() + "}",
		}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	})
}
