package analysis

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/headgate/headgate/rollout"
)

// traefikSeries are the request metrics of Traefik's provider
// kubernetesIngressNGINX (translator.go, build.go of v3.7). It has one label for a
// route: namespace, stable Ingress, stable Service and port, joined with dashes; the
// canary's has the suffix "-canary".
//
// The matchers name each Ingress. A pattern for any Ingress would confuse
// namespaces: in namespace shop, "shop-.+-web-80-canary" also matches the Ingress
// web of namespace shop-staging, "shop-staging-web-web-80-canary".
type traefikSeries struct{}

func (traefikSeries) name() Source { return Traefik }

func (traefikSeries) requestCounter() string { return "traefik_service_requests_total" }

func (traefikSeries) durationBuckets() string {
	return "traefik_service_request_duration_seconds_bucket"
}

func (traefikSeries) statusLabel() string { return "code" }

func (traefikSeries) stableMatchers(s rollout.Subject, prefix string) string {
	return traefikServices(s, prefix, "@kubernetesingressnginx")
}

func (traefikSeries) canaryMatchers(s rollout.Subject, prefix string) string {
	return traefikServices(s, prefix, "-canary@kubernetesingressnginx")
}

func (traefikSeries) leftOut() string { return "" }

func (traefikSeries) docs() string {
	return "Requests for the first Service, through each of its Ingresses, on the port that the first of these Ingresses has."
}

func traefikServices(s rollout.Subject, prefix, suffix string) string {
	if len(s.Ingresses) < 2 {
		return fmt.Sprintf("%sservice=%q", prefix, traefikService(s, s.Ingress)+suffix)
	}
	var names []string
	for _, ingress := range s.Ingresses {
		names = append(names, traefikService(s, ingress)+suffix)
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
