package rollout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/headgate/headgate/rollout/spec"
)

// Each step is weight, pods of the canary, and "P" where what comes after needs a Pass.
func TestAhead(t *testing.T) {
	for name, tt := range map[string]struct {
		strategy spec.Strategy
		steps    string
		replicas int32
		plan     *AnalysisPlan
		want     string
	}{
		"weights":          {spec.Canary, "10%, 5m, 50%, 5m, 100%, 5m", 4, nil, "10/1 10/1 50/2 50/2 100/4 100/4"},
		"a Pass":           {spec.Canary, "10%, 5m, 50%, 100%, 5m", 4, &AnalysisPlan{}, "10/1 10/1P 50/2P 100/4 100/4P"},
		"a later first":    {spec.Canary, "10%, 5m, 50%, 5m", 4, &AnalysisPlan{StartingStep: 2}, "10/1 10/1 50/2 50/2P"},
		"added weight":     {spec.Canary, "scale=3, pause, 10%", 4, nil, "0/3 +0/3 0/3 10/3"},
		"a canary grows":   {spec.Canary, "scale=3, 10%, scale=traffic, 50%", 4, nil, "0/3 10/3 10/3 50/3"},
		"blue-green":       {spec.BlueGreen, "0%, analysis, 100%", 3, &AnalysisPlan{}, "0/3 0/3P 100/3P"},
		"nothing to judge": {spec.BlueGreen, "0%, analysis, 100%", 3, &AnalysisPlan{NeedsTraffic: true}, "0/3 0/3 100/3P"},
		"a header":         {spec.Canary, "header=X-Canary, 5m, 20%", 10, &AnalysisPlan{NeedsTraffic: true}, "+0/1 0/1 0/1P 20/2P"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range Ahead(spec.Spec{Strategy: tt.strategy, Steps: parsed(t, tt.steps)}, tt.replicas, tt.plan) {
				text := fmt.Sprintf("%d/%d", s.Weight, s.Pods)
				if s.Added {
					text = "+" + text
				}
				if s.Judged {
					text += "P"
				}
				got = append(got, text)
			}
			if text := strings.Join(got, " "); text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}
