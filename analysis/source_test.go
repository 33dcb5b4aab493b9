package analysis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/prometheus"
)

// everyQuery writes out all that a source is ever asked.
func everyQuery(t *testing.T, series sourceSeries) string {
	t.Helper()
	var text strings.Builder
	write := func(name, query string) {
		if err := prometheus.None().Check(provider.Question{Query: query}); err != nil {
			t.Errorf("%s: %v\n%s", name, err, query)
		}
		text.WriteString(name + "\n  " + query + "\n")
	}
	for _, name := range builtInNames() {
		metric, err := builtInNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		write(name, metric.query(series, subject()))
	}
	write("requests of the canary", canaryRequests(series, subject()))
	write("requests of stable if the canary has none", stableOnlyRequests(series, subject()))
	return text.String()
}

func TestBuiltInQueries(t *testing.T) {
	for _, series := range knownSources {
		name := string(series.name())
		t.Run(name, func(t *testing.T) { golden.Assert(t, everyQuery(t, series), name+".golden") })
	}
}

func TestSourceUnmarshalText(t *testing.T) {
	for _, text := range []string{"", "ingress-nginx", "traefik"} {
		var src Source
		if err := src.UnmarshalText([]byte(text)); err != nil || string(src) != text {
			t.Errorf("%q: %q, %v", text, src, err)
		}
	}
	src := Traefik
	err := src.UnmarshalText([]byte("nginx"))
	if want := `unknown metrics source "nginx": the sources are ingress-nginx, traefik`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if src != Traefik {
		t.Errorf("an error changed the source to %q", src)
	}
}

// Whoever comes in through the second Ingress counts as well.
func TestTraefikCountsEveryIngress(t *testing.T) {
	s := subject()
	s.Ingress, s.Ingresses = "partners", []string{"partners", "web.example.com"}
	want := `service=~"shop-partners-web-http-canary@kubernetesingressnginx|shop-web-example-com-web-http-canary@kubernetesingressnginx"`
	if diff := cmp.Diff(want, traefikSeries{}.canaryMatchers(s, "")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
