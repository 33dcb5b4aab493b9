package analysis

import (
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// matchers writes the label matchers of one side of the split: stableMatchers or
// canaryMatchers of a source.
type matchers func(s rollout.Subject, prefix string) string

// canaryFailures is the part of the canary's requests that was answered with 5xx,
// as a number between 0 and 1. It yields nothing where there was no request.
//
// A canary that never failed has no series of failures, and one that always failed
// has no other. So only the failures may be taken as 0 where there are no series.
func canaryFailures(series sourceSeries, s rollout.Subject) string {
	failed := overWindow("rate", series.requestCounter(), s, series.canaryMatchers, fmt.Sprintf(`,%s=~"5.."`, series.statusLabel()))
	all := overWindow("rate", series.requestCounter(), s, series.canaryMatchers, "")
	return fmt.Sprintf("(sum(%s) or vector(0)) / sum(%s)", failed, all)
}

// canaryDuration is the time within which a part of the canary's requests was
// answered. quantile is that part: "0.99". It yields nothing or NaN where there was
// no request.
func canaryDuration(series sourceSeries, s rollout.Subject, quantile string) string {
	return fmt.Sprintf("histogram_quantile(%s, sum by (le) (%s))", quantile,
		overWindow("rate", series.durationBuckets(), s, series.canaryMatchers, ""))
}

// canaryRequests is how many requests the canary received in the window.
func canaryRequests(series sourceSeries, s rollout.Subject) string {
	return fmt.Sprintf("sum(%s)", overWindow("increase", series.requestCounter(), s, series.canaryMatchers, ""))
}

// stableOnlyRequests is how many requests stable received in the window, if the
// canary received none; otherwise it yields nothing. A canary series with one sample
// so far has no increase yet, so the query looks at the bare counter as well: a
// request that cannot be dated still shows that the router knows the canary.
func stableOnlyRequests(series sourceSeries, s rollout.Subject) string {
	return fmt.Sprintf("sum(%s) unless (sum(%s or %s) > 0)",
		overWindow("increase", series.requestCounter(), s, series.stableMatchers, ""),
		overWindow("increase", series.requestCounter(), s, series.canaryMatchers, ""),
		eitherLabels(s, series.canaryMatchers, series.requestCounter()+"{%s}"))
}

// overWindow is function(metric[window]) for one side of the split. further are
// more label matchers, with a comma before them.
func overWindow(function, metric string, s rollout.Subject, side matchers, further string) string {
	return eitherLabels(s, side, fmt.Sprintf("%s(%s{%%s%s}[%s])", function, metric, further, promDuration(s.Window)))
}

// eitherLabels is expression, which has one %s for the label matchers, twice: with
// the labels as the ingress controller writes them, and as Prometheus stores them
// unless its scrape configuration sets honor_labels. Prometheus's own labels
// namespace and service then win, and the controller's become exported_namespace and
// exported_service.
func eitherLabels(s rollout.Subject, side matchers, expression string) string {
	return fmt.Sprintf(expression+" or "+expression, side(s, ""), side(s, "exported_"))
}
