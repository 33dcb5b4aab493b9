package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Step is one of the steps a canary goes through.
type Step struct {
	Kind     StepKind
	Weight   int           // SetWeight: 0..100
	Duration time.Duration // Wait: more than 0
	Scale    Scale         // SetScale
	Match    Match         // MatchHeader or MatchCookie: that half of it
	Job      string        // RunJob: the suspended CronJob that it is made of
}

// StepKind says what a Step does.
type StepKind string

// The kinds of steps.
const (
	SetWeight   StepKind = "weight"   // move traffic
	Wait        StepKind = "wait"     // for Duration
	Pause       StepKind = "pause"    // for a person
	RunAnalysis StepKind = "analysis" // for a Pass
	SetScale    StepKind = "scale"    // how many canary pods there are at least
	MatchHeader StepKind = "header"   // whose requests go to the canary
	MatchCookie StepKind = "cookie"   // likewise
	RunJob      StepKind = "job"      // for a Job to succeed
)

// WaitsForPods says that no person can end the wait of this step: what it waits
// for are pods and routers.
func (s Step) WaitsForPods() bool {
	return s.Kind == SetWeight || s.Kind == SetScale || s.Kind == MatchHeader || s.Kind == MatchCookie
}

// Raises says whether a step gives the canary more traffic than weight.
func (s Step) Raises(weight int) bool {
	return s.Kind == SetWeight && s.Weight > weight || s.Kind == MatchHeader || s.Kind == MatchCookie
}

const (
	maxSteps = 100

	// MaxDuration keeps every sum of durations far from overflow. Who wants to
	// wait longer wants a person to decide.
	MaxDuration = 365 * 24 * time.Hour
)

// String is the form that ParseSteps reads: "10%", "5m", "pause", "job=smoke".
func (s Step) String() string {
	switch s.Kind {
	case SetWeight:
		return strconv.Itoa(s.Weight) + "%"
	case Wait:
		return FormatDuration(s.Duration)
	case SetScale:
		return string(s.Kind) + "=" + s.Scale.String()
	case MatchHeader:
		return string(s.Kind) + "=" + s.Match.header()
	case MatchCookie:
		return string(s.Kind) + "=" + s.Match.Cookie
	case RunJob:
		return string(s.Kind) + "=" + s.Job
	default:
		return string(s.Kind)
	}
}

// MarshalText is String: a stored state reads as the annotation did.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Step) UnmarshalText(text []byte) (err error) {
	*s, err = parseStep(string(text))
	return err
}

// FormatSteps is the one-line form that ParseSteps reads.
func FormatSteps(steps []Step) string {
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}

// ParseSteps reads the value of headgate.dev/steps: one line, or a YAML list in
// the form of Argo Rollouts. The steps it returns have at least one weight, and
// their weights never fall.
func ParseSteps(text string) ([]Step, error) {
	split := splitLine
	if isYAML(text) {
		split = splitYAML
	}
	steps, err := split(text)
	if err != nil {
		return nil, err
	}
	if err := checkSteps(text, steps); err != nil {
		return nil, err
	}
	return steps, nil
}

func splitLine(text string) ([]Step, error) {
	var steps []Step
	for word := range strings.SplitSeq(text, ",") {
		step, err := parseStep(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func parseStep(word string) (Step, error) {
	if k := StepKind(word); k == Pause || k == RunAnalysis {
		return Step{Kind: k}, nil
	}
	if kind, arg, ok := strings.Cut(word, "="); ok {
		return namedStep(word, StepKind(strings.TrimSpace(kind)), strings.TrimSpace(arg))
	}
	if number, ok := strings.CutSuffix(word, "%"); ok {
		return weightStep(word, number)
	}
	d, err := parseDuration(word)
	if err != nil {
		return Step{}, notAStep(word)
	}
	return Step{Kind: Wait, Duration: d}, nil
}

func notAStep(word string) error {
	return wrong(word, fmt.Sprintf("a step is a weight (10%%), a time to wait (30s, 5m, 1h, at most %s), pause, analysis, "+
		"scale=3, header=X-Canary, cookie=canary or job=smoke-test", FormatDuration(MaxDuration)))
}

// namedStep reads arg and blames word.
func namedStep(word string, kind StepKind, arg string) (Step, error) {
	step, err := Step{Kind: kind}, error(nil)
	switch kind {
	case SetScale:
		step.Scale, err = parseScale(arg)
	case MatchHeader:
		step.Match, err = parseHeader(arg)
	case MatchCookie:
		step.Match, err = parseCookie(arg)
	case RunJob:
		step.Job, err = parseJob(arg)
	default:
		err = notAStep(word)
	}
	if err != nil {
		return Step{}, err
	}
	return step, nil
}

// maxCronJobName is what the API server accepts.
const maxCronJobName = 52

func parseJob(name string) (string, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 || len(name) > maxCronJobName {
		return "", wrong(name, "is no name of a CronJob, of which the Job is made")
	}
	return name, nil
}

// weightStep reads number and blames word.
func weightStep(word, number string) (Step, error) {
	weight, err := strconv.Atoi(number)
	if err != nil || !isDigits(number) || weight > 100 {
		return Step{}, wrong(word, "a weight is a whole number 0..100")
	}
	return Step{Kind: SetWeight, Weight: weight}, nil
}

// CheckSteps says what is wrong with steps as a whole: their number, and the order
// of their weights.
func CheckSteps(steps []Step) error { return checkSteps(FormatSteps(steps), steps) }

// checkSteps blames text.
func checkSteps(text string, steps []Step) error {
	if len(steps) > maxSteps {
		return wrong(fmt.Sprintf("%.20s...", text), fmt.Sprintf("has %d steps, at most %d are allowed", len(steps), maxSteps))
	}
	last := -1
	for _, s := range steps {
		if s.Kind != SetWeight {
			continue
		}
		if s.Weight < last {
			return wrong(s.String(), fmt.Sprintf("comes after %d%%, and a weight never falls: traffic goes back by abort only", last))
		}
		last = s.Weight
	}
	if last < 0 {
		return wrong(text, "has no weight, so the new version would never see traffic")
	}
	return nil
}

// parseDuration reads a Go duration, or whole days: "5m", "1h30m", "2d".
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok && isDigits(days) && len(days) <= 3 {
		n, _ := strconv.Atoi(days)
		d, err = time.Duration(n)*24*time.Hour, nil
	}
	if err != nil || d <= 0 || d > MaxDuration {
		return 0, wrong(text, fmt.Sprintf("a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most %s", FormatDuration(MaxDuration)))
	}
	return d, nil
}

// FormatDuration is d.String() without the zeros: "5m", not "5m0s".
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
