package analysis

import (
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// nginxSeries are the request metrics of ingress-nginx. It writes the stable
// Ingress and Service into the labels of both sides; only the label canary differs:
// "<namespace>-<canary Service>-<port as written>" (kubernetes/ingress-nginx#7696).
// ingress-nginx splits the traffic of a Service, so the matchers select every port and
// every Ingress of it.
type nginxSeries struct{}

func (nginxSeries) name() Source { return IngressNginx }

func (nginxSeries) requestCounter() string { return "nginx_ingress_controller_requests" }

func (nginxSeries) durationBuckets() string {
	return "nginx_ingress_controller_request_duration_seconds_bucket"
}

func (nginxSeries) statusLabel() string { return "status" }

func (nginxSeries) stableMatchers(s rollout.Subject, prefix string) string {
	return fmt.Sprintf(`%[1]snamespace=%[2]q,%[1]sservice=%[3]q,canary=""`, prefix, s.Namespace, s.Service)
}

func (nginxSeries) canaryMatchers(s rollout.Subject, prefix string) string {
	return fmt.Sprintf(`%[1]snamespace=%[2]q,%[1]sservice=%[3]q,canary=~"%[2]s-%[4]s-.+"`,
		prefix, s.Namespace, s.Service, s.CanaryService)
}

// leftOut is about the default --metrics-per-host=true, which needs a host that an
// Ingress names (internal/ingress/metric/collectors/socket.go of v1.15).
func (nginxSeries) leftOut() string {
	return "ingress-nginx counts requests for a wildcard host, or for a rule without a host, only with --metrics-per-host=false"
}

func (nginxSeries) docs() string {
	return "All requests for the first Service, through any Ingress and on any port. " +
		"Those for a wildcard host, or for a rule without a host, only if ingress-nginx runs with `--metrics-per-host=false`."
}
