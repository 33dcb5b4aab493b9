package ingress

import (
	"testing"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func TestWeightOf(t *testing.T) {
	for name, tc := range map[string]struct {
		canary, weight, recorded string
		want, lowest             int
	}{
		"as written":     {"true", "25", "25", 25, 25},
		"raised by hand": {"true", "60", "25", 60, 60},
		"lowered by hand, maybe not yet in force": {"true", "5", "25", 25, 5},
		"nothing recorded":                        {"true", "25", "", 25, 25},
		"above 100 is 100":                        {"true", "150", "25", 100, 100},
		"below 0 is 0":                            {"true", "-5", "", 0, 0},
		"what does not parse may be anything":     {"true", "10%", "10", 100, 0},
		"no weight at all":                        {"true", "", "10", 100, 0},
		"no canary any more":                      {"false", "10", "10", 100, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ing := annotated(ingress("web-canary"), nginx("canary"), tc.canary, nginx("canary-weight"), tc.weight, annotationWeight, tc.recorded)
			diff(t, tc.want, defaultDialect.weightOf(ing))
			s := snapshot{dialect: defaultDialect, ownIngresses: map[purpose]map[string]*netv1.Ingress{forCanary: {"web-canary": ing}}}
			diff(t, tc.lowest, s.lowestWeight())
		})
	}
}

func TestWrittenAt(t *testing.T) {
	created := noon.Add(-time.Hour)
	for name, tc := range map[string]struct {
		since string
		want  time.Time
	}{
		"when it was last written": {"2026-11-22T12:00:00.5Z", noon.Add(time.Second / 2)},
		"else when it was created": {"", created},
		"not if it does not parse": {"noon", created},
	} {
		t.Run(name, func(t *testing.T) {
			ing := annotated(ingress("web-canary"), annotationSince, tc.since)
			ing.CreationTimestamp = metav1.NewTime(created)
			diff(t, tc.want, writtenAt(ing))
		})
	}
}

func TestAssumedSplitIsTheHighestWeightAndTheLatestTime(t *testing.T) {
	canary := func(name, weight string, since time.Time) *netv1.Ingress {
		ing := annotated(ingress(name), nginx("canary"), "true", nginx("canary-weight"), weight)
		recordWriteTime(ing, since)
		return ing
	}
	s := snapshot{dialect: defaultDialect, ownIngresses: map[purpose]map[string]*netv1.Ingress{forCanary: {
		"a": canary("a", "10", noon.Add(time.Minute)),
		"b": canary("b", "50", noon),
	}}}
	assumed, since := s.assumedSplit()
	diff(t, 50, assumed.weight)
	diff(t, noon.Add(time.Minute), since)

	assumed, since = snapshot{}.assumedSplit()
	diff(t, 0, assumed.weight)
	diff(t, time.Time{}, since)
}

func TestWeightRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.IntRange(0, 100).Draw(t, "weight")
		before := annotated(ingress("web-canary"), nginx("canary-weight"), rapid.String().Draw(t, "before"), nginx("canary-weight-total"), "1000")
		after := defaultDialect.withSplit(before, trafficSplit{weight: weight})
		if got := defaultDialect.weightOf(after); got != weight {
			t.Fatalf("wrote %d, read %d", weight, got)
		}
		if total, ok := after.Annotations[nginx("canary-weight-total")]; ok {
			t.Fatalf("%d of %s is another weight", weight, total)
		}
	})
}
