package ingress

import (
	"maps"
	"strings"
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/spec"
)

func TestMatchOf(t *testing.T) {
	for name, tc := range map[string]struct {
		annotations []string
		want        spec.Match
	}{
		"nothing":  {nil, spec.Match{}},
		"a header": {[]string{nginx("canary-by-header"), "X-Canary"}, spec.Match{Header: "X-Canary"}},
		"its value": {
			[]string{nginx("canary-by-header"), "X-Canary", nginx("canary-by-header-value"), "beta"},
			spec.Match{Header: "X-Canary", Value: "beta"}},
		"its pattern": {[]string{nginx("canary-by-header"), "X-Canary", nginx("canary-by-header-pattern"), "^eu-"},
			spec.Match{Header: "X-Canary", Pattern: "^eu-"}},
		"the value comes before the pattern": {
			[]string{nginx("canary-by-header"), "X-Canary", nginx("canary-by-header-value"), "beta", nginx("canary-by-header-pattern"), "^eu-"},
			spec.Match{Header: "X-Canary", Value: "beta"}},
		"a value without a header has no effect": {
			[]string{nginx("canary-by-header-value"), "beta", nginx("canary-by-header-pattern"), "^eu-"}, spec.Match{}},
		"a cookie": {[]string{nginx("canary-by-cookie"), "beta"}, spec.Match{Cookie: "beta"}},
		"a recorded rule that was removed by hand": {
			[]string{annotationMatch, `{"header":"X-Canary"}`}, spec.Match{Header: "X-Canary"}},
		"a recorded rule that was edited by hand": {
			[]string{annotationMatch, `{"header":"X-Canary"}`, nginx("canary-by-cookie"), "beta"}, spec.Match{Header: "X-Canary"}},
		"a record that does not parse is ignored": {
			[]string{annotationMatch, `beta`, nginx("canary-by-cookie"), "beta"}, spec.Match{Cookie: "beta"}},
		"so is a record of an empty match": {[]string{annotationMatch, `{}`, nginx("canary-by-cookie"), "beta"}, spec.Match{Cookie: "beta"}},
		"a rule of another dialect":        {[]string{"ingress.acme.test/canary-by-header", "X-Canary"}, spec.Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			diff(t, tc.want, defaultDialect.matchOf(annotated(ingress("web-canary"), tc.annotations...)))
		})
	}
}

func TestAssumedMatchIsTheFirstThatMatchesAnything(t *testing.T) {
	s := snapshot{dialect: defaultDialect, ownIngresses: map[purpose]map[string]*netv1.Ingress{forCanary: {
		"a": ingress("a"),
		"b": annotated(ingress("b"), nginx("canary-by-cookie"), "beta"),
		"c": annotated(ingress("c"), nginx("canary-by-header"), "X-Canary"),
	}}}
	assumed, _ := s.assumedSplit()
	diff(t, spec.Match{Cookie: "beta"}, assumed.match)
}

func TestMatchRoundTrip(t *testing.T) {
	word := func(t *rapid.T, name string) string {
		return rapid.SampledFrom([]string{"", "a", "X-B", "c&d"}).Draw(t, name)
	}
	draw := func(t *rapid.T) spec.Match {
		m := spec.Match{Header: word(t, "header"), Cookie: word(t, "cookie")}
		switch {
		case m.Header == "":
		case rapid.Bool().Draw(t, "exact"):
			m.Value = word(t, "value")
		default:
			m.Pattern = word(t, "pattern")
		}
		return m
	}
	rapid.Check(t, func(t *rapid.T) {
		first := defaultDialect.withSplit(ingress("web-canary"), trafficSplit{10, draw(t)})
		want := draw(t)
		second := defaultDialect.withSplit(first, trafficSplit{10, want})
		if got := defaultDialect.matchOf(second); got != want {
			t.Fatalf("recorded %+v, want %+v", got, want)
		}
		delete(second.Annotations, annotationMatch)
		if got := defaultDialect.matchOf(second); got != want {
			t.Fatalf("controllers read %+v, want %+v", got, want)
		}
	})
}

// matching returns the annotations of ing that are about its match.
func matching(ing *netv1.Ingress) map[string]string {
	out := maps.Clone(ing.Annotations)
	maps.DeleteFunc(out, func(key, _ string) bool { return !strings.Contains(key, "/canary-by-") && key != annotationMatch })
	return out
}

func TestRouterRoutesWhatMatches(t *testing.T) {
	c := newCluster(shop()...)
	for _, step := range []struct {
		match spec.Match
		want  map[string]string
	}{
		{spec.Match{Header: "X-Canary"}, map[string]string{
			nginx("canary-by-header"): "X-Canary", annotationMatch: `{"header":"X-Canary"}`}},
		{spec.Match{Header: "X-Canary", Value: "beta"}, map[string]string{
			nginx("canary-by-header"): "X-Canary", nginx("canary-by-header-value"): "beta",
			annotationMatch: `{"header":"X-Canary","value":"beta"}`}},
		{spec.Match{Header: "X-Region", Pattern: "^eu-", Cookie: "beta"}, map[string]string{
			nginx("canary-by-header"): "X-Region", nginx("canary-by-header-pattern"): "^eu-", nginx("canary-by-cookie"): "beta",
			annotationMatch: `{"header":"X-Region","pattern":"^eu-","cookie":"beta"}`}},
		{spec.Match{Cookie: "beta"}, map[string]string{nginx("canary-by-cookie"): "beta", annotationMatch: `{"cookie":"beta"}`}},
		{spec.Match{}, nil},
	} {
		c.now, c.writes = c.now.Add(time.Minute), nil
		c.setMatch(t, step.match)
		for _, name := range []string{"admin-canary", "web-canary"} {
			diff(t, step.want, matching(c.ingress(t, name)))
		}
		got := c.observe(t)
		diff(t, true, got.Current)
		diff(t, step.match, got.Match)
		diff(t, c.now, got.Since) // the settle time starts again

		wrote := len(c.writes)
		c.setMatch(t, step.match)
		diff(t, wrote, len(c.writes))
	}
}

func TestWeightAndMatchAreOneWrite(t *testing.T) {
	c := newCluster(shop()...)
	c.setWeight(t, 10)
	c.writes = nil
	if err := c.router().SetWeight(t.Context(), target(), 30, spec.Match{Cookie: "beta"}); err != nil {
		t.Fatal(err)
	}
	diff(t, []string{"patch *v1.Ingress admin-canary", "patch *v1.Ingress web-canary"}, c.writes)
}

func TestMatchEditedByHandIsRestored(t *testing.T) {
	wanted := spec.Match{Header: "X-Canary", Value: "beta"}
	for name, tc := range map[string]struct {
		match spec.Match
		edit  func(annotations map[string]string)
		seen  spec.Match
	}{
		"a header removed": {wanted, func(a map[string]string) { delete(a, nginx("canary-by-header")) }, wanted},
		"a value edited":   {wanted, func(a map[string]string) { a[nginx("canary-by-header-value")] = "alpha" }, wanted},
		"a value made any": {wanted, func(a map[string]string) { delete(a, nginx("canary-by-header-value")) }, wanted},
		"a cookie added":   {wanted, func(a map[string]string) { a[nginx("canary-by-cookie")] = "beta" }, wanted},
		"a cookie where none was": {
			spec.Match{}, func(a map[string]string) { a[nginx("canary-by-cookie")] = "beta" }, spec.Match{Cookie: "beta"}},
		"only the record":          {wanted, func(a map[string]string) { delete(a, annotationMatch) }, wanted},
		"a value without a header": {spec.Match{}, func(a map[string]string) { a[nginx("canary-by-header-value")] = "beta" }, spec.Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(shop()...)
			c.setMatch(t, tc.match)
			want := matching(c.ingress(t, "web-canary"))
			ing := ingress("web-canary")
			c.edit(t, ing, func() { tc.edit(ing.Annotations) })

			got := c.observe(t)
			diff(t, false, got.Current)
			diff(t, tc.seen, got.Match)

			c.now = noon.Add(time.Minute)
			c.setMatch(t, tc.match)
			diff(t, want, matching(c.ingress(t, "web-canary")))
			got = c.observe(t)
			diff(t, true, got.Current)
			diff(t, tc.match, got.Match)
			diff(t, c.now, got.Since)
		})
	}
}

func TestCanaryOfAnIngressThatIsGoneFollowsTheMatch(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"), ingress("web", rule("a.test", path("/", "web"))))
	c.setMatch(t, spec.Match{Header: "X-Canary", Cookie: "beta"})
	c.remove(t, ingress("web"))

	c.setMatch(t, spec.Match{Cookie: "beta"})
	ing := c.ingress(t, "web-canary")
	diff(t, map[string]string{nginx("canary-by-cookie"): "beta", annotationMatch: `{"cookie":"beta"}`}, matching(ing))
	diff(t, "true", ing.Annotations[nginx("canary")])
	diff(t, "headgate", ing.Annotations["external-dns.kubernetes.io/controller"])
	diff(t, spec.Match{Cookie: "beta"}, c.observe(t).Match)
}

// With "sticky", a request with a session stays with its version. With "legacy", it
// is split by weight and match. The user chooses on the stable Ingress.
func TestAffinityOfTheCanaryIsTheUsersChoice(t *testing.T) {
	c := newCluster(nginxClass(), service("web", "web"),
		annotated(ingress("web", rule("a.test", path("/", "web"))), nginx("affinity"), "cookie", nginx("session-cookie-name"), "web"))
	key := nginx("affinity-canary-behavior")
	c.setWeight(t, 10)
	for _, choice := range []string{"", "legacy", "sticky", ""} {
		stable := ingress("web")
		c.edit(t, stable, func() {
			delete(stable.Annotations, key)
			if choice != "" {
				stable.Annotations[key] = choice
			}
		})
		c.setWeight(t, 10)
		canary := c.ingress(t, "web-canary")
		diff(t, choice, canary.Annotations[key])
		diff(t, "", canary.Annotations[nginx("affinity")]) // controllers take it from the stable one
		diff(t, true, c.observe(t).Current)

		c.edit(t, canary, func() { canary.Annotations[key] = "edited" })
		diff(t, false, c.observe(t).Current)
		c.setWeight(t, 10)
		diff(t, choice, c.ingress(t, "web-canary").Annotations[key])
	}
}
