package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab"
)

// Short, so that a test takes seconds. The router collects changes for longer than the
// lab's default: it applies those of all tests together, which takes it much time, and each
// time it begins every split anew (see sharesMatch).
const (
	settle   = time.Second
	drain    = 2 * time.Second
	throttle = 400 * time.Millisecond
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	options := lab.Options{
		Node: true, Ingress: true, Throttle: throttle, Prometheus: true, Headgate: true, Kubectl: true, Metrics: true,
	}
	lab.RunTests(m, options, func(l *lab.Lab) error {
		shared = l
		if err := metrics.start(metricsAddress(), l.Prometheus.URL()); err != nil {
			return err
		}
		return l.InstallHeadgate(context.Background(), map[string]string{
			"prometheus.address":       "http://" + metricsAddress(),
			"prometheus.metricsSource": "traefik",
			"ingress.settle":           settle.String(),
			"ingress.drain":            drain.String(),
			// Every test has a host of its own, and its preview is below that.
			"ingress.previewBelowOwnHosts": "true",
			"canary.labels." + teamLabel:   team,
			"gates.addresses":              "{http://" + gateAddress() + "}",
		})
	})
}
