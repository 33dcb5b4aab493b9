package webhook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/webhook"
)

// One request reads the annotations of the new object once. It reads those of the
// old object only to find out who made a mistake that is in the new object.
func TestAnnotationsAreParsedOnce(t *testing.T) {
	const oldAnalysis, newAnalysis = "error-rate < 1%", "error-rate < 2%"
	const oldGates, newGates = "start https://gate.example.com/old", "start https://gate.example.com/new"
	before := []edit{annotated("analysis", oldAnalysis), annotated("gates", oldGates)}
	after := []edit{annotated("analysis", newAnalysis), annotated("gates", newGates)}
	mistake := annotated("steps", "x")
	onlyNew := map[string]int{newAnalysis: 1, "https://gate.example.com/new": 1}
	both := map[string]int{oldAnalysis: 1, newAnalysis: 1, "https://gate.example.com/old": 1, "https://gate.example.com/new": 1}
	cases := map[string]struct {
		old, new *appsv1.Deployment
		want     map[string]int
	}{
		"created":                 {new: web(after...), want: onlyNew},
		"a new image":             {old: web(before...), new: web(append(after, image("v2"))...), want: onlyNew},
		"a restart":               {old: web(before...), new: web(append(after, restart)...), want: onlyNew},
		"a mistake of the old":    {old: web(append(before, mistake)...), new: web(append(after, mistake, restart)...), want: both},
		"a mistake of the new":    {old: web(before...), new: web(append(after, mistake)...), want: both},
		"a mistake on opting in":  {old: web(append(before, optedOut)...), new: web(append(after, mistake)...), want: onlyNew},
		"opting out reads nobody": {old: web(before...), new: web(append(after, optedOut)...), want: map[string]int{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := map[string]int{}
			mutate(webhook.Request{
				Old: c.old, New: c.new,
				CheckAnalysis: func(text string) error { got[text]++; return nil },
				CheckGates: func(gates []spec.Gate) error {
					for _, g := range gates {
						got[g.URL]++
					}
					return nil
				},
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("how often each value was read, -want +got:\n%s", diff)
			}
		})
	}
}
