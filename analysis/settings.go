package analysis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"
)

// settings are what a user says of one metric beside what it must be. The zero value
// measures it with every measurement of the analysis, and every verdict counts at once.
type settings struct {
	// interval is the time between two measurements of the metric, and how far back each
	// one looks. 0: that of the analysis.
	interval time.Duration

	// initialDelay is how long after the first weight of the rollout the metric is not
	// measured yet. Until then it holds the weight.
	initialDelay time.Duration

	// count is how many measurements a weight takes, or more until one is a Pass. That Pass
	// stands. 0: any number.
	count int

	// failures and consecutive are how many Fail are tolerated, in the whole rollout and in
	// a row: one more fails. nil: no such limit. Without any, the first Fail counts.
	failures, consecutive *int

	// inconclusive is how many Inconclusive in a row are tolerated, and then what follows
	// one more. 0: any number.
	inconclusive int
	then         outcome

	// minRequests is how many requests of the canary a Pass takes.
	minRequests int

	// dryRun says that what is found is told, and decides nothing.
	dryRun bool
}

// outcome is what follows from too many measurements that were Inconclusive.
type outcome string

const (
	abortThen outcome = "abort"
	holdThen  outcome = "hold"
	passThen  outcome = "pass"
)

// defaultConsecutive is how many Fail in a row are tolerated of a number about which
// nothing is known.
const defaultConsecutive = 2

// documentSettings are settings as the user wrote them.
type documentSettings struct {
	Interval                string  `json:"interval"`
	InitialDelay            string  `json:"initialDelay"`
	Count                   int     `json:"count"`
	FailureLimit            *int    `json:"failureLimit"`
	ConsecutiveFailureLimit *int    `json:"consecutiveFailureLimit"`
	InconclusiveLimit       int     `json:"inconclusiveLimit"`
	OnInconclusive          outcome `json:"onInconclusive"`
	MinRequests             int     `json:"minRequests"`
	DryRun                  bool    `json:"dryRun"`
}

func (d documentSettings) parse() (settings, error) {
	s := settings{
		count: d.Count, failures: d.FailureLimit, consecutive: d.ConsecutiveFailureLimit,
		inconclusive: d.InconclusiveLimit, then: d.OnInconclusive, minRequests: d.MinRequests, dryRun: d.DryRun,
	}
	var err error
	if s.interval, err = parseInterval(d.Interval, 0); err != nil {
		return settings{}, err
	}
	if d.InitialDelay != "" {
		if s.initialDelay, err = time.ParseDuration(d.InitialDelay); err != nil || s.initialDelay < 0 {
			return settings{}, fmt.Errorf("initialDelay %q is not a duration: write for example initialDelay: 2m", d.InitialDelay)
		}
	}
	if err := checkLimits([]limit{
		{"count", s.count}, {"failureLimit", ptr.Deref(s.failures, 0)}, {"consecutiveFailureLimit", ptr.Deref(s.consecutive, 0)},
		{"inconclusiveLimit", s.inconclusive}, {"minRequests", s.minRequests},
	}); err != nil {
		return settings{}, err
	}
	return s, s.then.check(s.inconclusive)
}

func (o outcome) check(limit int) error {
	switch {
	case o == "":
		return nil
	case !slices.Contains([]outcome{abortThen, holdThen, passThen}, o):
		return fmt.Errorf("onInconclusive is %q, want abort, hold or pass: write for example onInconclusive: hold", o)
	case limit == 0:
		return errors.New("onInconclusive belongs to a limit: write for example {inconclusiveLimit: 10, onInconclusive: hold}")
	}
	return nil
}

// checkFor refuses settings that m cannot have. What is counted answer by answer has its
// own times and limits: those of package evidence.
func (s settings) checkFor(m Metric) error {
	if !m.isComparison() {
		return nil
	}
	var wrong []string
	for name, set := range map[string]bool{
		"interval": s.interval > 0, "initialDelay": s.initialDelay > 0, "count": s.count > 0,
		"failureLimit": s.failures != nil, "consecutiveFailureLimit": s.consecutive != nil,
	} {
		if set {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("metric %q: %s cannot be set, because every answer is counted every 5s and evidence decides: write for example "+
		"{name: %[1]s, falseAlarm: 0.1%%}", m.Name, strings.Join(wrong, " and "))
}
