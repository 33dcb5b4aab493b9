package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Step is one of the steps a canary goes through.
type Step struct {
	Kind     StepKind
	Weight   int           // SetWeight: 0..100
	Duration time.Duration // Wait: more than 0
	Scale    Scale         // SetScale
	Match    Match         // MatchHeader or MatchCookie: that half of it
	Job      string        // RunJob: the suspended CronJob that has its template
	Result   Condition     // RunJob: on the number that the Job writes; zero: none
}

const (
	maxSteps = 100

	// MaxDuration is the longest time that an annotation may name. It keeps every
	// sum of durations far from overflow. For a longer wait there is pause.
	MaxDuration = 365 * 24 * time.Hour
)

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
		return 0, wrong(text,
			fmt.Sprintf("a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most %s", FormatDuration(MaxDuration)))
	}
	return d, nil
}

// FormatDuration is d without zeros at the end: "5m", not "5m0s"; "2d", not "48h".
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
