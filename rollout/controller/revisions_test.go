package controller

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// past is one ReplicaSet of a history.
type past struct {
	version
	revision string // with those that it had before, if any, after a slash
	replicas int32
}

func (p past) replicaSet() appsv1.ReplicaSet {
	rs := replicaSet(stableDeployment(), p.version, p.replicas)
	revision, history, _ := strings.Cut(p.revision, "/")
	rs.Annotations = map[string]string{"deployment.kubernetes.io/revision": revision}
	if history != "" {
		rs.Annotations["deployment.kubernetes.io/revision-history"] = history
	}
	return *rs
}

func TestRevisionsAgo(t *testing.T) {
	v := func(image string) version { return version{"web:" + image, ""} }
	v1, v2, v3, v4 := v("v1"), v("v2"), v("v3"), v("v4")
	again := func(v version, at string) version { v.restarted = at; return v }
	tests := map[string]struct {
		wanted  version
		restart spec.Restart
		sets    []past
		want    int
	}{
		"the one before":                            {v2, "", []past{{v1, "1", 0}, {v2, "2", 0}, {v3, "3", 4}}, 1},
		"the one before that":                       {v1, "", []past{{v1, "1", 0}, {v2, "2", 0}, {v3, "3", 4}}, 2},
		"revisions are numbers, not text":           {v2, "", []past{{v1, "8", 0}, {v2, "9", 0}, {v3, "10", 4}}, 1},
		"one that never ran":                        {v4, "", []past{{v1, "1", 0}, {v2, "2", 0}, {v3, "3", 4}}, 0},
		"one that was forgotten":                    {v1, "", []past{{v2, "2", 0}, {v3, "3", 4}}, 0},
		"one that went out after the running one":   {v3, "", []past{{v1, "1", 0}, {v2, "4/2", 4}, {v3, "3", 0}}, 0},
		"a hold raises its revision, and not more":  {v1, "", []past{{v1, "4/1", 0}, {v2, "2", 0}, {v3, "3", 4}}, 2},
		"one that failed as a canary is no nearer":  {v1, "", []past{{v1, "4/1", 0}, {v2, "2", 0}, {v3, "5/3", 4}}, 2},
		"one that still runs beside the stable one": {v1, "", []past{{v1, "1", 0}, {v2, "2", 1}, {v3, "3", 3}}, 2},
		"a ReplicaSet without a revision":           {v1, "", []past{{v1, "", 0}, {v2, "2", 4}}, 0},
		"a revision that is none":                   {v1, "", []past{{v1, "first", 0}, {v2, "2", 4}}, 0},
		"no version runs":                           {v1, "", []past{{v1, "1", 0}, {v2, "2", 0}}, 0},
		"restarts are no versions": {
			v1,
			"",
			[]past{{v1, "1", 0}, {v2, "2", 0}, {again(v2, "10h"), "3", 0}, {v3, "4", 0}, {again(v3, "11h"), "5", 4}},
			2,
		},
		"a restart makes the running one no newer":   {v4, "", []past{{v3, "2", 0}, {v4, "3", 0}, {again(v3, "10h"), "5", 4}}, 0},
		"in whatever order they are listed":          {v4, "", []past{{again(v3, "10h"), "5", 4}, {v4, "3", 0}, {v3, "2", 0}}, 0},
		"a restarted one without its mark":           {v1, "", []past{{again(v1, "10h"), "1", 0}, {v2, "2", 4}}, 1},
		"restarts are versions to whom a canary is":  {v2, spec.RestartCanary, []past{{v2, "2", 0}, {again(v2, "10h"), "3", 0}, {v3, "4", 4}}, 2},
		"and one without its mark is then not known": {v1, spec.RestartCanary, []past{{again(v1, "10h"), "1", 0}, {v2, "2", 4}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &snapshot{dep: stableDeployment()}
			tt.wanted.of(s.dep)
			s.Spec.RollbackWindow, s.Spec.Restart = 3, spec.RestartRolling
			if tt.restart != "" {
				s.Spec.Restart = tt.restart
			}
			var whole, kept []appsv1.ReplicaSet
			for _, p := range tt.sets {
				rs := p.replicaSet()
				whole, kept = append(whole, rs), append(kept, *trimmed(t, &rs))
			}
			if got := s.revisionsAgo(whole); got != tt.want {
				t.Errorf("%d revisions ago, want %d", got, tt.want)
			}
			if got := s.revisionsAgo(kept); got != tt.want {
				t.Errorf("out of what a cache keeps: %d revisions ago, want %d", got, tt.want)
			}
			if s.Spec.RollbackWindow = 0; s.revisionsAgo(whole) != 0 {
				t.Error("it is looked for without a window")
			}
		})
	}
}
