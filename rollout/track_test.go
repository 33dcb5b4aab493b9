package rollout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
)

type labels = map[string]string

func TestChooseTrack(t *testing.T) {
	long := strings.Repeat("a", 60)
	cases := map[string]struct {
		pod       labels
		selector  metav1.LabelSelector
		services  []labels
		others    map[string]labels
		preferred string
		want      labels
	}{
		"the one label that everybody selects on": {
			pod: labels{"app": "web"}, selector: matching("app", "web"), services: []labels{{"app": "web"}},
			want: labels{"app": "web-canary"},
		},
		"the instance rather than the name, although both would do": {
			pod:      labels{"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "shop"},
			selector: matching("app.kubernetes.io/name", "web", "app.kubernetes.io/instance", "shop"),
			services: []labels{{"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "shop"}},
			want:     labels{"app.kubernetes.io/instance": "shop-canary"},
		},
		"a label that all selectors have in common, although it is none of the usual": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web", "tier", "front"), services: []labels{{"tier": "front"}},
			want: labels{"tier": "front-canary"},
		},
		"two labels where the selectors share none": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web"), services: []labels{{"tier": "front"}},
			want: labels{"app": "web-canary", "tier": "front-canary"},
		},
		"the label made for it, alone, if a Service selects on it": {
			pod: labels{"app": "web", "headgate.dev/track": "stable"}, selector: matching("app", "web", "headgate.dev/track", "stable"),
			services: []labels{{"app": "web", "headgate.dev/track": "stable"}}, preferred: "app",
			want: labels{"headgate.dev/track": "stable-canary"},
		},
		"what the user says": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web", "tier", "front"),
			services: []labels{{"app": "web", "tier": "front"}}, preferred: "tier",
			want: labels{"tier": "front-canary"},
		},
		"without a Service the Deployment's own selector decides": {
			pod: labels{"app": "web", "version": "2"}, selector: matching("app", "web"),
			want: labels{"app": "web-canary"},
		},
		"a selector that asks whether a label is there, not for its value": {
			pod: labels{"app": "web", "tier": "front"},
			selector: metav1.LabelSelector{MatchLabels: labels{"tier": "front"}, MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpExists},
			}},
			services: []labels{{"tier": "front"}},
			want:     labels{"tier": "front-canary"},
		},
		"the next label where the first is what another Service selects on": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web", "tier", "front"),
			services: []labels{{"app": "web", "tier": "front"}}, others: map[string]labels{"theirs": {"app": "web-canary"}},
			want: labels{"tier": "front-canary"},
		},
		"two labels where another Service selects on one of them alone": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web"), services: []labels{{"app": "web"}},
			others: map[string]labels{"theirs": {"app": "web-canary", "tier": "front"}},
			want:   labels{"app": "web-canary", "tier": "front-canary"},
		},
		"another Service that selects on the label made for it does not decide": {
			pod: labels{"app": "web"}, selector: matching("app", "web"), services: []labels{{"app": "web"}},
			others: map[string]labels{"theirs": {"app": "api", "headgate.dev/track": "stable"}},
			want:   labels{"app": "web-canary"},
		},
		"a value is cut where it would be too long": {
			pod: labels{"app": long}, selector: matching("app", long), services: []labels{{"app": long}},
			want: labels{"app": long[:56] + "-canary"},
		},
		"an empty value": {
			pod: labels{"app": ""}, selector: matching("app", ""), services: []labels{{"app": ""}},
			want: labels{"app": "canary"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rollout.ChooseTrack(c.pod, &c.selector, c.services, c.others, c.preferred)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestChooseTrackErrors(t *testing.T) {
	cut := strings.Repeat("a", 56) + "-canary"
	cases := map[string]struct {
		pod       labels
		selector  metav1.LabelSelector
		services  []labels
		others    map[string]labels
		preferred string
		want      string
	}{
		"the user's choice is in no selector": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web"), services: []labels{{"app": "web"}}, preferred: "tier",
			want: "canary pods would be selected as stable pods although their label tier differs, because a selector does not use it: " +
				"name a label in headgate.dev/track-label on which the Deployment and all its Services select",
		},
		"a Service that selects everything": {
			pod: labels{"app": "web"}, selector: matching("app", "web"), services: []labels{{}},
			want: "no choice of up to three pod labels keeps canary pods out of the Deployment's selector and of 1 Services: add a label " +
				"to the pods on which all of them select, and name it in headgate.dev/track-label",
		},
		"a value that looks like a canary's when it is cut": {
			pod: labels{"app": cut}, selector: matching("app", cut), services: []labels{{"app": cut}},
			want: "no choice of up to three pod labels keeps canary pods out of the Deployment's selector and of 1 Services: add a label " +
				"to the pods on which all of them select, and name it in headgate.dev/track-label",
		},
		"four labels would have to differ": {
			pod: labels{
				"a": "1", "b": "1", "c": "1", "d": "1",
			}, selector: matching("a", "1"), services: []labels{{"b": "1"}, {"c": "1"}, {"d": "1"}},
			want: "no choice of up to three pod labels keeps canary pods out of the Deployment's selector and of 3 Services: add a label " +
				"to the pods on which all of them select, and name it in headgate.dev/track-label",
		},
		"every choice is what another Service selects on": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web"), services: []labels{{"app": "web"}},
			others: map[string]labels{"z": {"app": "web-canary"}, "theirs": {"app": "web-canary"}, "api": {"app": "api"}},
			want: "canary pods would match the selector app=web-canary of Service \"theirs\": " +
				"change the selector, delete the Service, or name another label in headgate.dev/track-label",
		},
		"the user's choice is what another Service selects on": {
			pod: labels{"app": "web", "tier": "front"}, selector: matching("app", "web", "tier", "front"),
			services: []labels{{"app": "web", "tier": "front"}}, others: map[string]labels{"theirs": {"tier": "front-canary"}}, preferred: "tier",
			want: "canary pods would match the selector tier=front-canary of Service \"theirs\": " +
				"change the selector, delete the Service, or name another label in headgate.dev/track-label",
		},
		"a selector that is none": {
			pod:      labels{"app": "web"},
			selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}},
			want:     `reading the Deployment's selector: "Like" is not a valid label selector operator`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rollout.ChooseTrack(c.pod, &c.selector, c.services, c.others, c.preferred)
			if err == nil {
				t.Fatalf("no error, but %v", got)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func matching(pairs ...string) metav1.LabelSelector {
	s := metav1.LabelSelector{MatchLabels: labels{}}
	for i := 0; i < len(pairs); i += 2 {
		s.MatchLabels[pairs[i]] = pairs[i+1]
	}
	return s
}
