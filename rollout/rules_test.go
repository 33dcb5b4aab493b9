package rollout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

func TestRulesInForce(t *testing.T) {
	const begun, edited = "p99 <= 1s", "p99 <= 2s"
	wrong := errors.New("unknown provider")
	cases := map[string]struct {
		seen       rollout.RulesSeen
		kept, told bool
	}{
		"before the canary":                {rollout.RulesSeen{Now: begun}, false, false},
		"nothing was edited":               {rollout.RulesSeen{Began: begun, Now: begun}, true, false},
		"edited":                           {rollout.RulesSeen{Began: begun, Now: edited}, true, true},
		"what is there now cannot be read": {rollout.RulesSeen{Began: begun, NowErr: wrong}, true, true},
		"removed":                          {rollout.RulesSeen{Began: begun}, false, true},
		"added":                            {rollout.RulesSeen{Now: edited}, false, false},
		"added, and it cannot be read":     {rollout.RulesSeen{NowErr: wrong}, false, false},
		"corrected":                        {rollout.RulesSeen{Began: begun, BeganErr: wrong, Now: edited}, false, true},
		"nothing can be read":              {rollout.RulesSeen{Began: begun, BeganErr: wrong, NowErr: wrong}, true, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.seen.Kept() != c.kept {
				t.Errorf("the rollout keeps its rules: %v", !c.kept)
			}
			o := running()
			o.Now, o.Rules = noon.Add(time.Second), c.seen
			d := rollout.Next(o)
			if told := tellsEdit(d); told != c.told {
				t.Errorf("an edit is told: %v", told)
			}
			if o.Canary.State = d.Canary.State; tellsEdit(rollout.Next(o)) {
				t.Error("the edit is told twice")
			}
		})
	}
}

// Two edits are two events. An edit that is taken back is none, and neither is one while it is
// not known what the annotation says.
func TestEditsAreToldOnce(t *testing.T) {
	o := running()
	o.Now = noon.Add(time.Second)
	for i, step := range []struct {
		now     string
		specErr error
		want    bool
	}{
		{"b", nil, true}, {"b", nil, false}, {"", errDamaged, false}, {"b", nil, false}, {"c", nil, true}, {"a", nil, false}, {"c", nil, true},
	} {
		o.Rules, o.SpecErr = rollout.RulesSeen{Began: "a", Now: step.now}, step.specErr
		d := rollout.Next(o)
		if got := tellsEdit(d); got != step.want {
			t.Errorf("look %d: an edit is told: %v", i, got)
		}
		o.Canary.State = d.Canary.State
	}
}

func tellsEdit(d rollout.Decision) bool {
	for _, n := range d.Notes {
		if n.Reason == reason.AnalysisEdited {
			return true
		}
	}
	return false
}
