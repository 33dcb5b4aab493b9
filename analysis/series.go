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
	failed := increases(series.requestCounter(), s, series.canaryMatchers, fmt.Sprintf(`,%s=~"5.."`, series.statusLabel()))
	all := increases(series.requestCounter(), s, series.canaryMatchers, "")
	return fmt.Sprintf("(sum(%s) or vector(0)) / sum(%s)", failed, all)
}

// canaryDuration is the time within which a part of the canary's requests was
// answered. quantile is that part: "0.99". It yields nothing or NaN where there was
// no request.
func canaryDuration(series sourceSeries, s rollout.Subject, quantile string) string {
	return fmt.Sprintf("histogram_quantile(%s, sum by (le) (%s))", quantile,
		increases(series.durationBuckets(), s, series.canaryMatchers, ""))
}

// canaryRequests is how many requests the canary received in the window.
func canaryRequests(series sourceSeries, s rollout.Subject) string {
	return fmt.Sprintf("sum(%s)", increases(series.requestCounter(), s, series.canaryMatchers, ""))
}

// stableOnlyRequests is how many requests stable received in the window, 0 also where
// stable has no series, if the canary received none; otherwise it yields nothing. A canary series with one sample
// so far has no increase yet, so the query looks at the bare counter as well: a
// request that cannot be dated still shows that the router knows the canary.
func stableOnlyRequests(series sourceSeries, s rollout.Subject) string {
	return fmt.Sprintf("(sum(%s) or vector(0)) unless (sum(%s or %s) > 0)",
		increases(series.requestCounter(), s, series.stableMatchers, ""),
		increases(series.requestCounter(), s, series.canaryMatchers, ""),
		eitherLabels(s, series.canaryMatchers, series.requestCounter()+"{%[1]s}"))
}

// increases is by how much each counter of one side of the split rose in the window.
// further are more label matchers, with a comma before them.
//
// increase() alone needs two samples, so it loses what a new series counts before its
// first sample. ingress-nginx makes a series for each of its pods, path and status:
// the first 503 is a series of its own. A series that began in the window is therefore
// taken from zero, which is its last sample:
//
//	before | in the window
//	7, 7   | 7, 7, 9       increase(), about 2
//	–, –   | –, –, 1       1, where increase() has nothing
//	–, –   | –, 1, 4       4, where increase() has about 3
//
// It began in the window if it has no sample at the beginning of it although its target
// was scraped then (up is 1). Its count may be older than the window by less than the
// interval between two scrapes. A counter that merely was not scraped, because the scrape
// failed or Prometheus was down or lost its data, would bring its whole past into the
// window. It is left to increase(), and so are the counters of a new target.
//
// A window with a single scrape is left to increase() too, which then has nothing. New
// failures would be counted there, but not the requests of older series beside them:
// 12 failures among 1000 requests would be an error rate of 100%.
func increases(metric string, s rollout.Subject, side matchers, further string) string {
	const born = "last_over_time(%[1]s[%[2]s]) unless %[1]s offset %[2]s" +
		" and on (job, instance) (up offset %[2]s == 1 and sum_over_time(up[%[2]s]) > 1)"
	return eitherLabels(s, side, fmt.Sprintf(born+" or increase(%[1]s[%[2]s])", metric+"{%[1]s"+further+"}", promDuration(s.Window)))
}

// eitherLabels is expression, which has %[1]s for the label matchers, twice: with
// the labels as the ingress controller writes them, and as Prometheus stores them
// unless its scrape configuration sets honor_labels. Prometheus's own labels
// namespace and service then win, and the controller's become exported_namespace and
// exported_service.
func eitherLabels(s rollout.Subject, side matchers, expression string) string {
	return fmt.Sprintf(expression, side(s, "")) + " or " + fmt.Sprintf(expression, side(s, "exported_"))
}
