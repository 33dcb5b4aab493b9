package analysis

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout"
)

// Source names the ingress controller whose request metrics the built-in metrics
// are computed from. It is the operator's setting. The zero value is none:
// built-in metrics are then an Error, a user's own queries work.
type Source string

// The sources.
const (
	IngressNginx Source = "ingress-nginx"
	Traefik      Source = "traefik"
)

// knownSources is the one list of sources. HEADGATE_METRICS_SOURCE, the error
// messages and the table in docs/analysis.md follow it.
var knownSources = []sourceSeries{nginxSeries{}, traefikSeries{}}

// sourceSeries is all that Headgate must know of a source: the series with its
// request metrics, and which of them count a request to stable or to the canary.
//
// Label matchers are PromQL without the braces, such as `service="web",canary=""`.
// prefix goes before every label that a scrape may have renamed: see eitherLabels.
type sourceSeries interface {
	// name is the value of HEADGATE_METRICS_SOURCE.
	name() Source

	// requestCounter is the counter of answered requests.
	requestCounter() string

	// durationBuckets is the histogram of answer times, in seconds.
	durationBuckets() string

	// statusLabel is the label of requestCounter with the HTTP status, such as "503".
	statusLabel() string

	// stableMatchers selects the requests that stable answered.
	stableMatchers(s rollout.Subject, prefix string) string

	// canaryMatchers selects the requests that the canary answered.
	canaryMatchers(s rollout.Subject, prefix string) string

	// leftOut is which requests the source may leave out of its metrics, and the
	// setting that includes them: a clause for a message. "" where there is none.
	leftOut() string

	// docs is which requests are counted, for docs/analysis.md: sentences that end
	// with a full stop.
	docs() string
}

// Sources lists the names of all sources.
func Sources() []Source {
	names := make([]Source, len(knownSources))
	for i, series := range knownSources {
		names[i] = series.name()
	}
	return names
}

// series is nil, false where src is none.
func (src Source) series() (sourceSeries, bool) {
	for _, series := range knownSources {
		if series.name() == src {
			return series, true
		}
	}
	return nil, false
}

// UnmarshalText accepts the name of a source, or nothing.
func (src *Source) UnmarshalText(text []byte) error {
	named := Source(text)
	if _, known := named.series(); !known && named != "" {
		return fmt.Errorf("unknown metrics source %q: the sources are %s", text, listSources(", "))
	}
	*src = named
	return nil
}

func listSources(separator string) string {
	var words []string
	for _, src := range Sources() {
		words = append(words, string(src))
	}
	return strings.Join(words, separator)
}

func errNoSource() error {
	return fmt.Errorf("no metrics source is configured: set HEADGATE_METRICS_SOURCE to %s", listSources(" or "))
}
