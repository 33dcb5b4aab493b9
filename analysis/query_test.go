package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
)

func subject() rollout.Subject {
	return rollout.Subject{
		Namespace: "shop", Deployment: "web", CanaryDeployment: "web-canary", CanaryReplicaSet: "web-canary-6d4cf",
		Service: "web", CanaryService: "web-canary", ServicePort: "http",
		Ingress: "shop.example.com", CanaryIngress: "shop.example.com-canary",
		TrackLabel: "app.kubernetes.io/name", StableTrack: "web", CanaryTrack: "web-canary",
		Rollout: "7", Weight: 10, Window: 90 * time.Second,
	}
}

func TestFillInKnowsEveryVariable(t *testing.T) {
	const query = `{{namespace}} {{deployment}} {{canary-deployment}} {{service}} {{canary-service}} {{service-port}} ` +
		`{{ingress}} {{canary-ingress}} {{track-label}} {{stable-track}} {{canary-track}} {{rollout}} {{ weight }} {{window}} {{canary-pods}}`
	got, err := fillIn(query, subject())
	if err != nil {
		t.Fatal(err)
	}
	const want = `shop web web-canary web web-canary http ` +
		`shop.example.com shop.example.com-canary app_kubernetes_io_name web web-canary 7 10 1m30s web-canary-6d4cf-.+`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	for name := range variables {
		if !strings.Contains(query, name) {
			t.Errorf("variable %s is not covered", name)
		}
	}
}

func TestFillInRefusesWhatTheRolloutLacks(t *testing.T) {
	s := subject()
	s.Ingress = ""
	_, err := fillIn(`x{ingress="{{ingress}}"}`, s)
	if err == nil || err.Error() != "query uses {{ingress}}, which has no value in this rollout" {
		t.Errorf("got %v", err)
	}
}

func TestCheckQueryAcceptsVariablesWhereverTheyMakeSense(t *testing.T) {
	for name, query := range map[string]string{
		"in a string":     `x{a=~"{{canary-pods}}"}`,
		"as a label":      `x{label_{{track-label}}="{{canary-track}}"}`,
		"as a window":     `rate(x[{{window}}])`,
		"with spaces":     `rate(x[{{ window }}])`,
		"as a resolution": `max_over_time(rate(x[{{window}}])[{{window}}:10s])`,
		"as a number":     `sum(x) / {{weight}} * 100`,
		"a scalar":        `scalar(sum(x))`,
		"several lines":   "sum(\n  x # comment\n)",
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkQuery("q", query); err != nil {
				t.Error(err)
			}
		})
	}
}

// Pods of stable that were a canary once have names that begin like those of a canary.
func TestCheckQueryRefusesPodsByTheNameOfTheDeployment(t *testing.T) {
	err := checkQuery("restarts", `sum(x{pod=~"{{canary-deployment}}-.+"})`)
	const want = `metric "restarts": query names pods by {{canary-deployment}}-, which pods of stable may be called too: ` +
		`write pod=~"{{canary-pods}}"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestConfine(t *testing.T) {
	tests := map[string]struct{ query, want string }{
		"a bare metric":         {`x`, `x{ns="shop"}`},
		"an existing selector":  {`x{a="b"}`, `x{a="b",ns="shop"}`},
		"another tenant":        {`x{ns="bank"}`, `x{ns="bank",ns="shop"}`},
		"every metric":          {`{__name__=~".+"}`, `{__name__=~".+",ns="shop"}`},
		"both sides and ranges": {`sum(rate(x[5m])) / y offset 1m`, `sum(rate(x{ns="shop"}[5m])) / y{ns="shop"} offset 1m`},
		"a subquery":            {`max_over_time((x or y)[5m:1m] @ end())`, `max_over_time((x{ns="shop"} or y{ns="shop"})[5m:1m] @ end())`},
		"arguments": {
			`topk(scalar(n), label_replace(x, "ns", "shop", "", ""))`,
			`topk(scalar(n{ns="shop"}), label_replace(x{ns="shop"}, "ns", "shop", "", ""))`,
		},
		"no series at all": {`vector(1)`, `vector(1)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := confine(tt.query, "ns", "shop")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}
