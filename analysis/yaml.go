package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout"
)

const (
	yamlExample = `{interval: 1m, metrics: [{name: p99, condition: "<= 500ms"}]}`
	knownFields = "interval, startingStep, endWaits, failureLimit, inconclusiveLimit, onInconclusive, errorLimit, minRequests, " +
		"metrics (name, provider, query, path, method, body, reduce, value, condition, cel, margin, falseAlarm, atMost, strict, warmUp, " +
		"total, good, bad, interval, initialDelay, count, failureLimit, consecutiveFailureLimit, inconclusiveLimit, " +
		"onInconclusive, minRequests, dryRun)"
)

// maxStartingStep is the largest number of steps that a rollout may have. Steps count
// from 0, so with 100 no step is judged except analysis steps.
const maxStartingStep = 100

// metricName keeps names short and on one line, because messages contain them.
var metricName = regexp.MustCompile(`^[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$`)

// document is the YAML form as the user wrote it.
type document struct {
	Interval          string           `json:"interval"`
	StartingStep      int              `json:"startingStep"`
	EndWaits          bool             `json:"endWaits"`
	FailureLimit      *int             `json:"failureLimit"`
	InconclusiveLimit int              `json:"inconclusiveLimit"`
	OnInconclusive    outcome          `json:"onInconclusive"`
	ErrorLimit        int              `json:"errorLimit"`
	MinRequests       *int             `json:"minRequests"`
	Metrics           []documentMetric `json:"metrics"`
}

type documentMetric struct {
	documentSettings

	Name      string `json:"name"`
	Provider  string `json:"provider"`
	Query     string `json:"query"`
	Path      string `json:"path"`
	Method    string `json:"method"`
	Body      string `json:"body"`
	Reduce    string `json:"reduce"`
	Value     string `json:"value"`
	Condition string `json:"condition"`
	CEL       string `json:"cel"`

	Margin     string `json:"margin"`
	FalseAlarm string `json:"falseAlarm"`
	AtMost     string `json:"atMost"`
	Strict     bool   `json:"strict"`
	WarmUp     string `json:"warmUp"`

	Total string `json:"total"`
	Good  string `json:"good"`
	Bad   string `json:"bad"`
}

func parseYAML(text string) (Analysis, error) {
	var d document
	if err := yaml.UnmarshalStrict([]byte(text), &d); err != nil {
		return Analysis{}, explainYAML(err)
	}
	if err := d.checkLimits(); err != nil {
		return Analysis{}, err
	}
	metrics, err := d.parseMetrics()
	if err != nil {
		return Analysis{}, err
	}
	all := forAll{failureLimit: d.FailureLimit, minRequests: d.MinRequests}
	if all.interval, err = parseInterval(d.Interval, 0); err != nil {
		return Analysis{}, err
	}
	if err := d.OnInconclusive.check(d.InconclusiveLimit); err != nil {
		return Analysis{}, err
	}
	if d.OnInconclusive == holdThen || d.OnInconclusive == passThen {
		all.inconclusive, all.then, d.InconclusiveLimit = d.InconclusiveLimit, d.OnInconclusive, 0
	}
	if d.EndWaits && !onlyComparisons(metrics) {
		return Analysis{}, errors.New("endWaits is for comparisons with stable, which can show that a canary is well: " +
			"write for example {endWaits: true, metrics: [{name: auto}]}")
	}
	return newAnalysis(rollout.AnalysisPlan{
		StartingStep:      d.StartingStep,
		EndWaits:          d.EndWaits,
		FailureLimit:      ptr.Deref(d.FailureLimit, 0),
		InconclusiveLimit: d.InconclusiveLimit,
		ErrorLimit:        d.ErrorLimit,
	}, metrics, all)
}

// explainYAML removes from err what the decoders wrap around it: names of Go types.
func explainYAML(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			field = "the analysis"
		}
		return fmt.Errorf("%s cannot be of type %s: write for example %s", field, wrong.Value, yamlExample)
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s: the fields are %s", field, knownFields)
	}
	// YAML reads an unquoted > as the start of a folded text and ! as a tag.
	return fmt.Errorf("%s: write for example %s (put quotes around a condition)", strings.Join(strings.Fields(err.Error()), " "), yamlExample)
}

func parseInterval(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("interval %q is not a duration: write for example interval: 30s", text)
	}
	if d < MinInterval {
		return 0, fmt.Errorf("interval %q is shorter than %s: write for example interval: 30s", text, MinInterval)
	}
	return d, nil
}

func (d document) checkLimits() error {
	if d.StartingStep < 0 || d.StartingStep > maxStartingStep {
		return fmt.Errorf("startingStep is %d, want 0..%d: write for example startingStep: 2 (the first step is 0)",
			d.StartingStep, maxStartingStep)
	}
	return checkLimits([]limit{
		{"failureLimit", ptr.Deref(d.FailureLimit, 0)},
		{"inconclusiveLimit", d.InconclusiveLimit},
		{"errorLimit", d.ErrorLimit},
		{"minRequests", ptr.Deref(d.MinRequests, 0)},
	})
}

// limit is a number that a field sets, and the name of the field.
type limit struct {
	name  string
	value int
}

// checkLimits returns an error that names the first limit below 0.
func checkLimits(limits []limit) error {
	for _, l := range limits {
		if l.value < 0 {
			return fmt.Errorf("%[1]s is %[2]d, want 0 or more: write for example %[1]s: 3", l.name, l.value)
		}
	}
	return nil
}

func (d document) parseMetrics() ([]Metric, error) {
	metrics := make([]Metric, 0, len(d.Metrics))
	for _, written := range d.Metrics {
		if !metricName.MatchString(written.Name) {
			return nil, fmt.Errorf("metric name %q: use letters, digits, - _ and ., for example name: queue-length", written.Name)
		}
		set, err := written.documentSettings.parse()
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", written.Name, err)
		}
		written.documentSettings = documentSettings{}
		parsed, err := written.parse()
		if err != nil {
			return nil, err
		}
		for _, m := range parsed {
			if err := set.checkFor(m); err != nil {
				return nil, err
			}
			m.settings = set
			metrics = append(metrics, m)
		}
	}
	return metrics, nil
}
