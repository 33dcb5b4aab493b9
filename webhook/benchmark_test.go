package webhook_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/webhook"
)

// BenchmarkMutate measures two common writes to a Deployment with long
// annotations. The allocations say how often the annotations are parsed: a parse
// of these takes about 30.
func BenchmarkMutate(b *testing.B) {
	written := func(d *appsv1.Deployment) {
		annotated("steps", "5%, 5m, analysis, 25%, 5m, 50%, 10m, analysis, 75%, 5m, 100%, 5m")(d)
		annotated("analysis", "success-rate >= 99%, p99 <= 500ms")(d)
		annotated("gates", "start https://gate.example.com/web, promotion https://gate.example.com/web")(d)
		annotated("progress-deadline", "15m")(d)
	}
	for name, r := range map[string]webhook.Request{
		"new template": {Old: web(written), New: web(written, image("v2"))},
		"hold stays":   {Old: web(written, held), New: web(written, held, paused(false))},
	} {
		r = withTemplates(r)
		r.CheckAnalysis, r.CheckGates = checkAnalysis, checkGates
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				webhook.Mutate(r)
			}
		})
	}
}
