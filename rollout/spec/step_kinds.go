package spec

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// StepKind says what a Step does.
type StepKind string

// The kinds of steps. CONTRIBUTING.md says how to add one.
const (
	SetWeight   StepKind = "weight"   // move traffic
	Wait        StepKind = "wait"     // for Duration
	Pause       StepKind = "pause"    // for a person
	RunAnalysis StepKind = "analysis" // for a Pass
	SetScale    StepKind = "scale"    // how many canary pods there are at least
	MatchHeader StepKind = "header"   // whose requests go to the canary
	MatchCookie StepKind = "cookie"   // whose requests go to the canary
	RunJob      StepKind = "job"      // for a Job to succeed
)

// StepKinds has every kind once, in the order of the documentation.
var StepKinds = []StepKind{SetWeight, Wait, Pause, RunAnalysis, SetScale, MatchHeader, MatchCookie, RunJob}

// PerKind is a table with one value for each kind of step. A new kind is a new
// parameter, so every table of kinds stops compiling until it has that kind.
func PerKind[T any](weight, wait, pause, analysis, scale, header, cookie, job T) map[StepKind]T {
	return map[StepKind]T{
		SetWeight: weight, Wait: wait, Pause: pause, RunAnalysis: analysis,
		SetScale: scale, MatchHeader: header, MatchCookie: cookie, RunJob: job,
	}
}

// stepForm is how one kind of step is written. What it does is the other half, in
// package rollout.
type stepForm interface {
	// read reads word. Mine is false if word is a step of another kind.
	read(word string) (s Step, mine bool, err error)

	// print is the inverse of read.
	print(s Step) string

	// doc shows the form in an error and on the page of steps.
	doc() StepDoc
}

// StepDoc is how one kind of step is shown to a person.
type StepDoc struct {
	Name    string // as part of a list: "a weight (10%)", "scale=3"
	Example string // one step that parses: "10%"
}

// Doc is the documentation of a kind of step.
func (k StepKind) Doc() StepDoc { return stepForms[k].doc() }

var stepForms = PerKind[stepForm](
	weightForm{}, waitForm{}, wordForm{Pause}, wordForm{RunAnalysis}, scaleForm{}, headerForm{}, cookieForm{}, jobForm{},
)

// parseStep reads one step of the one-line form.
func parseStep(word string) (Step, error) {
	for _, kind := range StepKinds {
		if s, mine, err := stepForms[kind].read(word); mine {
			if err != nil {
				return Step{}, err
			}
			s.Kind = kind
			return s, nil
		}
	}
	return Step{}, wrong(word, StepSyntax())
}

// StepSyntax says what a step may be, for errors and for help:
// "a step is a weight (10%), ... or job=smoke-test".
func StepSyntax() string {
	var names []string
	for _, kind := range StepKinds {
		names = append(names, kind.Doc().Name)
	}
	last := len(names) - 1
	return "a step is " + strings.Join(names[:last], ", ") + " or " + names[last]
}

// String is the form that ParseSteps reads: "10%", "5m", "pause", "job=smoke".
func (s Step) String() string {
	if form, known := stepForms[s.Kind]; known {
		return form.print(s)
	}
	return string(s.Kind)
}

// readNamed reads "kind=argument".
func readNamed[T any](kind StepKind, word string, parse func(arg string) (T, error), step func(T) Step) (Step, bool, error) {
	name, arg, named := strings.Cut(word, "=")
	if !named || StepKind(strings.TrimSpace(name)) != kind {
		return Step{}, false, nil
	}
	v, err := parse(strings.TrimSpace(arg))
	return step(v), true, err
}

// wordForm is a kind that is written as its name.
type wordForm struct{ kind StepKind }

func (f wordForm) read(word string) (Step, bool, error) { return Step{}, StepKind(word) == f.kind, nil }
func (f wordForm) print(Step) string                    { return string(f.kind) }
func (f wordForm) doc() StepDoc                         { return StepDoc{string(f.kind), string(f.kind)} }

type weightForm struct{}

func (weightForm) read(word string) (Step, bool, error) {
	number, percent := strings.CutSuffix(word, "%")
	if !percent || strings.Contains(word, "=") {
		return Step{}, false, nil
	}
	s, err := weightStep(word, number)
	return s, true, err
}
func (weightForm) print(s Step) string { return strconv.Itoa(s.Weight) + "%" }
func (weightForm) doc() StepDoc        { return StepDoc{"a weight (10%)", "10%"} }

// weightStep reads number and blames word.
func weightStep(word, number string) (Step, error) {
	weight, err := strconv.Atoi(number)
	if err != nil || !isDigits(number) || weight > 100 {
		return Step{}, wrong(word, "a weight is a whole number 0..100")
	}
	return Step{Kind: SetWeight, Weight: weight}, nil
}

type waitForm struct{}

func (waitForm) read(word string) (Step, bool, error) {
	d, err := parseDuration(word)
	return Step{Duration: d}, err == nil, nil
}
func (waitForm) print(s Step) string { return FormatDuration(s.Duration) }
func (waitForm) doc() StepDoc {
	return StepDoc{fmt.Sprintf("a time to wait (30s, 5m, 1h, at most %s)", FormatDuration(MaxDuration)), "5m"}
}

type scaleForm struct{}

func (scaleForm) read(word string) (Step, bool, error) {
	return readNamed(SetScale, word, parseScale, func(c Scale) Step { return Step{Scale: c} })
}
func (scaleForm) print(s Step) string { return "scale=" + s.Scale.String() }
func (scaleForm) doc() StepDoc        { return StepDoc{"scale=3", "scale=3"} }

type headerForm struct{}

func (headerForm) read(word string) (Step, bool, error) {
	return readNamed(MatchHeader, word, parseHeader, func(m Match) Step { return Step{Match: m} })
}
func (headerForm) print(s Step) string { return "header=" + s.Match.header() }
func (headerForm) doc() StepDoc        { return StepDoc{"header=X-Canary", "header=X-Canary"} }

type cookieForm struct{}

func (cookieForm) read(word string) (Step, bool, error) {
	return readNamed(MatchCookie, word, parseCookie, func(m Match) Step { return Step{Match: m} })
}
func (cookieForm) print(s Step) string { return "cookie=" + s.Match.Cookie }
func (cookieForm) doc() StepDoc        { return StepDoc{"cookie=canary", "cookie=canary"} }

type jobForm struct{}

func (jobForm) read(word string) (Step, bool, error) {
	return readNamed(RunJob, word, parseJob, func(s Step) Step { return s })
}
func (jobForm) print(s Step) string {
	if s.Result.IsZero() {
		return "job=" + s.Job
	}
	return "job=" + s.Job + " " + s.Result.String()
}
func (jobForm) doc() StepDoc { return StepDoc{"job=smoke-test", "job=smoke-test"} }

// maxCronJobName is what the API server accepts.
const maxCronJobName = 52

// parseJob reads the name of a CronJob and, behind it, the condition on the result if
// there is one: "smoke", "smoke >= 0.9".
func parseJob(text string) (Step, error) {
	if i := strings.IndexAny(text, "<>=!"); i >= 0 {
		condition := text[i:]
		return jobStep(strings.TrimSpace(text[:i]), &condition)
	}
	return jobStep(text, nil)
}

// jobStep is the step that runs a Job from the CronJob name. condition is nil for one
// that only succeeds or fails.
func jobStep(name string, condition *string) (Step, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 || len(name) > maxCronJobName {
		return Step{}, wrong(name, "is not the name of a CronJob: name a suspended CronJob, whose template the Job gets")
	}
	s := Step{Kind: RunJob, Job: name}
	if condition == nil {
		return s, nil
	}
	var err error
	if s.Result, err = ParseCondition(*condition); err != nil {
		return Step{}, fmt.Errorf("job %s: %w", name, err)
	}
	if s.Result.Unit() == TimesStable {
		return Step{}, fmt.Errorf("job %s: %q: a Job knows nothing of stable: write for example job=%[1]s >= 0.9", name, s.Result)
	}
	return s, nil
}
