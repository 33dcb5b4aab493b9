package analysis

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/headgate/headgate/rollout"
)

// Source is the ingress controller whose request metrics the built-in metrics
// are computed from. It is the operator's setting. The zero value is none:
// built-in metrics are then an Error, a user's own queries work.
type Source string

// The sources.
const (
	IngressNginx Source = "ingress-nginx"
	Traefik      Source = "traefik"
)

// UnmarshalText accepts the name of a source, or nothing.
func (src *Source) UnmarshalText(text []byte) error {
	switch s := Source(text); s {
	case "", IngressNginx, Traefik:
		*src = s
		return nil
	}
	return fmt.Errorf("unknown metrics source %q: known are %s, %s", text, IngressNginx, Traefik)
}

// series describes the request metrics of one ingress controller. Both count
// the responses that the canary's router saw, by status.
type series struct {
	requests string // counter
	duration string // histogram, seconds
	status   string // label with the status code
	// stable and canary are the label matchers of one side. prefix goes before
	// every label that a scrape may have renamed.
	stable, canary func(s rollout.Subject, prefix string) string
}

var sources = map[Source]series{
	IngressNginx: {
		requests: "nginx_ingress_controller_requests",
		duration: "nginx_ingress_controller_request_duration_seconds_bucket",
		status:   "status",
		stable:   nginxStable,
		canary:   nginxCanary,
	},
	Traefik: {
		requests: "traefik_service_requests_total",
		duration: "traefik_service_request_duration_seconds_bucket",
		status:   "code",
		stable:   traefikStable,
		canary:   traefikCanary,
	},
}

// ingress-nginx names the stable Ingress and Service on both sides; only the
// label canary, "<namespace>-<canary Service>-<port as written>", differs
// (kubernetes/ingress-nginx#7696). Any port and any Ingress of the Service is
// meant: the split is a property of the Service there.
func nginxStable(s rollout.Subject, prefix string) string {
	return fmt.Sprintf(`%[1]snamespace=%[2]q,%[1]sservice=%[3]q,canary=""`, prefix, s.Namespace, s.Service)
}

func nginxCanary(s rollout.Subject, prefix string) string {
	return fmt.Sprintf(`%[1]snamespace=%[2]q,%[1]sservice=%[3]q,canary=~"%[2]s-%[4]s-.+"`,
		prefix, s.Namespace, s.Service, s.CanaryService)
}

// Traefik's kubernetesIngressNGINX provider (translator.go, build.go of v3.7)
// joins namespace, stable Ingress, stable Service and port with dashes, and
// gives the canary the suffix "-canary". A pattern for any Ingress would
// confuse namespaces: "shop-.+-web-80-canary" also matches what belongs to
// shop-staging. So the Ingresses are named.
func traefikStable(s rollout.Subject, prefix string) string {
	return traefikServices(s, prefix, "@kubernetesingressnginx")
}

func traefikCanary(s rollout.Subject, prefix string) string {
	return traefikServices(s, prefix, "-canary@kubernetesingressnginx")
}

func traefikServices(s rollout.Subject, prefix, suffix string) string {
	ingresses := s.Ingresses
	if len(ingresses) < 2 {
		return fmt.Sprintf("%sservice=%q", prefix, traefikService(s, s.Ingress)+suffix)
	}
	var names []string
	for _, ing := range ingresses {
		names = append(names, traefikService(s, ing)+suffix)
	}
	return fmt.Sprintf("%sservice=~%q", prefix, strings.Join(names, "|"))
}

// traefikService turns every run of other characters into one dash, as Traefik
// does: the Ingress "shop.example.com" is "shop-example-com" there. What is left
// means nothing else in a pattern.
func traefikService(s rollout.Subject, ingress string) string {
	name := strings.Join([]string{s.Namespace, ingress, s.Service, s.ServicePort}, "-")
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}), "-")
}

// metric is the query of a built-in metric, for the canary. It yields nothing
// or NaN where there was no request.
func (x series) metric(name string, s rollout.Subject) string {
	if q, ok := quantiles[name]; ok {
		return fmt.Sprintf("histogram_quantile(%s, sum by (le) (%s))", q, over("rate", x.duration, s, x.canary, ""))
	}
	// A canary that never failed has no series of failures, one that always
	// failed has no others: only the failures may be defaulted to 0.
	failed := over("rate", x.requests, s, x.canary, fmt.Sprintf(`,%s=~"5.."`, x.status))
	all := over("rate", x.requests, s, x.canary, "")
	share := fmt.Sprintf("(sum(%s) or vector(0)) / sum(%s)", failed, all)
	if name == successRate {
		return "1 - " + share
	}
	return share
}

// canaryRequests is how many requests the canary received in the window.
func (x series) canaryRequests(s rollout.Subject) string {
	return fmt.Sprintf("sum(%s)", over("increase", x.requests, s, x.canary, ""))
}

// ignoredRequests is how many requests stable received in the window, if the
// canary received none; otherwise nothing. A canary series with one sample so
// far has no increase yet, hence the bare counter as well: a request that
// cannot be dated still shows that the router knows the canary.
func (x series) ignoredRequests(s rollout.Subject) string {
	return fmt.Sprintf("sum(%s) unless (sum(%s or %s) > 0)",
		over("increase", x.requests, s, x.stable, ""),
		over("increase", x.requests, s, x.canary, ""),
		either(s, x.canary, x.requests+"{%s}"))
}

// over is function(metric[window]) for one side.
func over(function, metric string, s rollout.Subject, side func(rollout.Subject, string) string, more string) string {
	return either(s, side, fmt.Sprintf("%s(%s{%%s%s}[%s])", function, metric, more, promDuration(s.Window)))
}

// either is expression with the matchers as the controller writes them, and as
// Prometheus stores them unless the scrape says honor_labels: its own labels
// namespace and service win and the controller's become exported_namespace and
// exported_service.
func either(s rollout.Subject, side func(rollout.Subject, string) string, expression string) string {
	return fmt.Sprintf(expression+" or "+expression, side(s, ""), side(s, "exported_"))
}
