package bench

import (
	"strings"
	"testing"
)

// A rollout of v2 in 2 replicas whose canary pods are adopted.
func goodRollout() []sight {
	held := sight{kind: aWorkload, name: "web", rollout: "2", image: "v2", scale: 2}
	return []sight{
		{kind: aWorkload, name: "web", image: "v1", scale: 2},
		{kind: aPod, name: "a", stable: true, ready: true, image: "v1"},
		{kind: aPod, name: "b", stable: true, ready: true, image: "v1"},
		held,
		{kind: aCanaryIngress, name: "web-canary", rollout: "2"},
		{kind: aPod, name: "c", rollout: "2", ready: true, image: "v2"},
		{kind: aCanaryIngress, name: "web-canary", rollout: "2", weight: 50},
		{kind: aPod, name: "d", rollout: "2", ready: true, image: "v2"},
		{kind: aCanaryIngress, name: "web-canary", rollout: "2", weight: 100},
		{kind: aPod, name: "c", rollout: "2", ready: true, stable: true, image: "v2"},
		{kind: aPod, name: "d", rollout: "2", ready: true, stable: true, image: "v2"},
		{kind: aPod, name: "a", stable: true, ready: true, image: "v1", gone: true},
		{kind: aPod, name: "b", stable: true, ready: true, image: "v1", gone: true},
		{kind: aWorkload, name: "web", image: "v2", scale: 2},
		{kind: aCanaryIngress, name: "web-canary", rollout: "2", weight: 100, gone: true},
	}
}

func TestCourt(t *testing.T) {
	insert := func(i int, more ...sight) []sight {
		all := goodRollout()
		return append(all[:i:i], append(more, all[i:]...)...)
	}
	without := func(i int) []sight {
		all := goodRollout()
		return append(all[:i:i], all[i+1:]...)
	}
	for sentence, c := range map[string]struct {
		sights []sight
		want   string // part of the only accusation; "" for none
	}{
		"a good rollout": {sights: goodRollout()},
		"a weight rises without enough pods": {
			sights: without(7), want: "weight 100 on 1 ready pods of 2",
		},
		"a canary pod goes under traffic": {
			sights: insert(9, sight{kind: aPod, name: "d", rollout: "2", image: "v2", gone: true}),
			want:   "canary pod d goes while rollout 2 has weight 100",
		},
		"a route comes back": {
			sights: insert(7,
				sight{kind: aCanaryIngress, name: "web-canary", rollout: "2", weight: 50, gone: true},
				sight{kind: aCanaryIngress, name: "web-canary", rollout: "2", weight: 50}),
			want: "rollout 2 has weight 50 again",
		},
		"stable becomes a version that was not tried": {
			sights: insert(7, sight{kind: aPod, name: "e", stable: true, ready: true, image: "v2"}),
			want:   "pod e of stable runs v2",
		},
		"stable loses its last pod": {
			sights: insert(7,
				sight{kind: aPod, name: "a", stable: true, ready: true, image: "v1", gone: true},
				sight{kind: aPod, name: "b", stable: true, ready: true, image: "v1", gone: true},
				sight{kind: aPod, name: "a", stable: true, ready: true, image: "v1"}),
			want: "stable has no ready pod, b was the last",
		},
		"the template is put back": {
			sights: insert(7, sight{kind: aWorkload, name: "web", image: "v1", scale: 2}),
			want:   "the template has v1 again",
		},
		"the Deployment is scaled": {
			sights: insert(7, sight{kind: aWorkload, name: "web", rollout: "2", image: "v2", scale: 3}),
			want:   "has 3 replicas",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			court := newCourt(app{name: "web", replicas: 2}, []string{"v1", "v2"})
			for _, s := range c.sights {
				court.look(s)
			}
			switch {
			case c.want == "" && len(court.broken) > 0, c.want != "" && len(court.broken) == 0:
				t.Errorf("accused of %q, want %q", court.broken, c.want)
			case c.want != "" && !strings.Contains(court.broken[0], c.want):
				t.Errorf("accused of %q, want %q", court.broken, c.want)
			}
		})
	}
}
