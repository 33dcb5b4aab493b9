package contributing

import "testing"

// A step kind that is forgotten in one place does not compile, or fails a test.
func TestStepKind(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	const kinds, steps = "rollout/spec/step_kinds.go", "rollout/steps.go"

	c.replace(kinds, "\tRunJob      StepKind = \"job\"", "\tNotify      StepKind = \"notify\"\n\tRunJob      StepKind = \"job\"")
	c.replace(kinds, "MatchCookie, RunJob}", "MatchCookie, RunJob, Notify}")
	c.red("go test ./rollout/spec", "FAIL")
	c.replace(kinds, "cookie, job T)", "cookie, job, notify T)")
	c.replace(kinds, "RunJob: job,", "RunJob: job, Notify: notify,")
	c.red("go vet ./rollout/spec", "not enough arguments in call to PerKind")

	c.replace(kinds, "cookieForm{}, jobForm{},", "cookieForm{}, jobForm{}, notifyForm{},")
	c.write("rollout/spec/notify.go", `package spec

type notifyForm struct{}

func (notifyForm) read(word string) (Step, bool, error) { return Step{}, word == "notify", nil }
func (notifyForm) doc() StepDoc                         { return StepDoc{"notify", "notify"} }
`)
	c.red("go vet ./rollout/spec", "missing method print")
	c.replace("rollout/spec/notify.go", "func (notifyForm) doc",
		"func (notifyForm) print(Step) string { return \"notify\" }\nfunc (notifyForm) doc")
	c.green("go vet ./rollout/spec")

	c.red("go vet ./rollout", "not enough arguments in call to spec.PerKind")
	c.replace(steps, "cookieStep{}, jobStep{},", "cookieStep{}, jobStep{}, notifyStep{},")
	c.write("rollout/notify.go", "package rollout\n\ntype notifyStep struct{ changesNothing }\n")
	c.red("go vet ./rollout", "missing method await")
	c.write("rollout/notify.go", `package rollout

import "github.com/headgate/headgate/rollout/spec"

type notifyStep struct{ changesNothing }

func (notifyStep) await(*pass, spec.Step) *Decision { return nil }
`)
	c.green("go build ./...")

	c.red("go test ./rollout/spec", "no example of the step kind notify")
	c.replace("docs/rollouts.md", "## What is waited for", "`notify` tells somebody.\n\n## What is waited for")
	c.green("go test ./rollout/spec")
}

// An annotation without an example, or without a row in one of the pages, fails a test.
func TestAnnotation(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	const errors = "rollout/spec/errors.go"
	c.replace("rollout/spec/annotations.go", "AnnotationRestart          = ",
		"AnnotationOwner = \"headgate.dev/owner\"\n\tAnnotationRestart          = ")
	c.red("go test ./rollout/spec", "AnnotationOwner (headgate.dev/owner) has no example")
	c.replace(errors, "AnnotationRestart:", "AnnotationOwner: \"team-a\",\n\tAnnotationRestart:")
	c.red("go test ./rollout/spec", "headgate.dev/owner is not there")
	c.replace("docs/rollouts.md", "## Strategies", "`headgate.dev/owner` names a team.\n\n## Strategies")
	c.red("go test ./rollout/spec", "docs/security.md has no row for headgate.dev/owner")
	c.replace("docs/security.md", "| `headgate.dev/command` |",
		"| `headgate.dev/owner` | | nobody reads it | `test/security`: `TestAnnotations/owner` |\n| `headgate.dev/command` |")
	c.green("go test ./rollout/spec")
}

// A reason without a row in the table fails a test.
func TestReason(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	c.replace("rollout/reason/reason.go", "\tPromoted          Reason = ",
		"\tCelebrated        Reason = \"Celebrated\"\n\tPromoted          Reason = ")
	c.red("go test ./rollout/reason", "Celebrated")
}

// A built-in metric that lacks a method does not compile; one without its row in the
// page fails a test.
func TestMetric(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	c.write("analysis/queue.go", "package analysis\n\ntype queueLength struct{}\n\n"+
		"func (queueLength) name() string { return \"queue-length\" }\n")
	c.replace("analysis/builtin.go", "\terrorRate{},\n", "\terrorRate{},\n\tqueueLength{},\n")
	c.red("go vet ./analysis", "missing method checkBound")
	c.write("analysis/queue.go", `package analysis

import (
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

type queueLength struct{}

func (queueLength) name() string                               { return "queue-length" }
func (queueLength) checkBound(spec.Condition) error            { return nil }
func (queueLength) query(sourceSeries, rollout.Subject) string { return "max(queue_length)" }
func (queueLength) needsTraffic() bool                         { return false }
func (queueLength) docs() metricDocs                           { return metricDocs{} }
`)
	c.green("go build ./...")
	c.red("go test ./analysis", "queue-length")
}

// A metrics source that lacks a method does not compile; one without its row in the
// page, or that the command does not know, fails a test.
func TestSource(t *testing.T) {
	t.Parallel()
	c := copyTree(t)
	c.write("analysis/source_caddy.go", "package analysis\n\ntype caddySeries struct{}\n\n"+
		"func (caddySeries) name() Source { return \"caddy\" }\n")
	c.replace("analysis/source.go", "traefikSeries{}}", "traefikSeries{}, caddySeries{}}")
	c.red("go vet ./analysis", "missing method canaryMatchers")
	c.write("analysis/source_caddy.go", "package analysis\n\ntype caddySeries struct{ nginxSeries }\n\n"+
		"func (caddySeries) name() Source { return \"caddy\" }\n")
	c.green("go build ./...")
	c.red("go test ./analysis", "caddy")
	c.red("go test ./cmd/headgate", "caddy")
}
