// Package plan says how a rollout would go with the annotations of a Deployment: when each
// weight comes at the earliest, how many pods it takes, and how many requests the analysis
// needs to find a fault. It runs the rules of the manager and its statistical test.
package plan

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/backtest"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// Schema names the form of a Plan in JSON.
const Schema = "headgate.dev/plan/v1"

// Options say what nobody knows but the person who asks.
type Options struct {
	Requests float64 // in a second, that the Deployment gets
	Bad      float64 // share of them that fails at stable
	Fault    float64 // by how much that share rises in the faulty version
}

// Plan is a rollout that may come. Times are in seconds.
type Plan struct {
	Schema    string         `json:"schema"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Strategy  spec.Strategy  `json:"strategy"`
	Replicas  int32          `json:"replicas"`
	Promotion spec.Promotion `json:"promotion"`
	Steps     []Step         `json:"steps"`

	Least  float64 `json:"leastSeconds"` // what the steps wait for
	Person bool    `json:"person"`       // a person must decide besides
	Extra  int32   `json:"extraPods"`    // at the peak, besides those of the Deployment

	Rules        string   `json:"analysis,omitempty"`
	Options      *Options `json:"traffic,omitempty"`
	Tests        []Test   `json:"tests,omitempty"`
	NotEstimated string   `json:"notEstimated,omitempty"` // why there are no Tests
}

// Step is one step.
type Step struct {
	Number  int           `json:"number"` // from 1
	Kind    spec.StepKind `json:"kind"`
	Text    string        `json:"text"`
	Added   bool          `json:"added,omitempty"` // by Headgate
	At      float64       `json:"atSeconds"`       // at the earliest
	Stays   float64       `json:"staysSeconds,omitempty"`
	Weight  int           `json:"weight"`
	Besides string        `json:"besides,omitempty"`
	Pods    int32         `json:"canaryPods"`
	Judged  bool          `json:"judged,omitempty"` // what comes after it needs a Pass
}

// Test is one metric that is judged answer by answer.
type Test struct {
	Metric  string  `json:"metric"`
	Bad     float64 `json:"stableBadShare"`
	Faulty  float64 `json:"faultyBadShare"`
	Allowed float64 `json:"allowedBadShare"`
	Rungs   []Rung  `json:"weights"`
}

// Rung is what the test needs at one weight, if the fault shows from its beginning. 0: it
// needs more than Longest.
type Rung struct {
	Weight         int     `json:"weight"`
	Stays          float64 `json:"staysSeconds"`
	Person         bool    `json:"person,omitempty"` // and until a person decides
	Requests       float64 `json:"canaryRequestsPerSecond"`
	Half           float64 `json:"foundSecondsHalf"` // in half of the rollouts
	Most           float64 `json:"foundSecondsMost"` // in 19 of 20
	HalfOfRequests int64   `json:"foundRequestsHalf"`
	MostOfRequests int64   `json:"foundRequestsMost"`
	Pass           float64 `json:"passSecondsMost"` // until 19 of 20 healthy versions have a Pass
}

// Longest is how long a rollout at one weight is made up for.
const Longest = 2 * time.Hour

const (
	runs = 100 // rollouts that are made up for each weight
	seed = 1
)

// Of returns the plan of dep. rules is the text of its analysis, with what a ConfigMap says
// and its parameters; "" for none.
func Of(dep *appsv1.Deployment, wanted spec.Spec, rules string, o Options) (Plan, error) {
	p := Plan{
		Schema: Schema, Namespace: dep.Namespace, Name: dep.Name, Strategy: wanted.Strategy,
		Replicas: ptr.Deref(dep.Spec.Replicas, 1), Promotion: wanted.Promotion, Rules: rules,
	}
	var judged *rollout.AnalysisPlan
	var a analysis.Analysis
	if rules != "" {
		var err error
		if a, err = analysis.Parse(rules); err != nil {
			return Plan{}, fmt.Errorf("annotation %s: %w", spec.AnnotationAnalysis, err)
		}
		judged = &a.Plan
	}
	p.steps(rollout.Ahead(wanted, p.Replicas, judged), dep)
	switch {
	case rules == "":
		p.NotEstimated = "there is no analysis: a rollout goes by readiness and time only"
	case a.ConfigMap != "":
		p.NotEstimated = "the ConfigMap of the analysis is not known here"
	default:
		p.test(a.Tests(), o)
	}
	return p, nil
}

func (p *Plan) steps(ahead []rollout.StepAhead, dep *appsv1.Deployment) {
	at := time.Duration(0)
	for i, s := range ahead {
		step := Step{
			Number: i + 1, Kind: s.Step.Kind, Text: s.Step.String(), Added: s.Added, At: at.Seconds(), Stays: s.Step.Duration.Seconds(),
			Weight: s.Weight, Pods: s.Pods, Judged: s.Judged,
		}
		if s.Step.Kind == spec.MatchHeader || s.Step.Kind == spec.MatchCookie || s.Step.Kind == spec.SetWeight {
			step.Besides = s.Match.Besides()
		}
		p.Steps = append(p.Steps, step)
		p.Person = p.Person || s.Step.Kind == spec.Pause
		p.Extra = max(p.Extra, s.Pods)
		at += s.Step.Duration
	}
	p.Least = at.Seconds()
	if p.Promotion == spec.PromotionRolling {
		p.Extra += surge(dep, p.Replicas)
	} else {
		p.Extra = max(p.Extra, p.Replicas) // the canary's pods become those of the Deployment
	}
}

// surge is how many pods a rolling update starts besides. The arithmetic is that of the
// Deployment controller.
func surge(dep *appsv1.Deployment, replicas int32) int32 {
	most := intstr.FromString("25%")
	if u := dep.Spec.Strategy.RollingUpdate; u != nil && u.MaxSurge != nil {
		most = *u.MaxSurge
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&most, int(replicas), true)
	if err != nil {
		return 0 // the API server accepts no such value
	}
	return int32(n)
}

// test finds out what each test needs at each weight that has a stable beside it.
func (p *Plan) test(tests []analysis.Test, o Options) {
	if len(tests) == 0 {
		p.NotEstimated = "no metric of the analysis is judged answer by answer; \"headgate backtest\" tries it on the past"
		return
	}
	rungs := p.rungs()
	if len(rungs) == 0 {
		p.NotEstimated = "there is no weight at which both versions have traffic, so they are not compared side by side"
		return
	}
	p.Options = &o
	for _, t := range tests {
		known := Test{Metric: t.Metric, Bad: o.Bad}
		if t.Bad > 0 {
			known.Bad = t.Bad
		}
		known.Faulty = known.Bad + o.Fault*(1-known.Bad)
		known.Allowed = t.Rule.Allowed(known.Bad)
		for _, r := range rungs {
			known.Rungs = append(known.Rungs, r.needs(t, known.Bad, o))
		}
		p.Tests = append(p.Tests, known)
	}
}

// rungs are the weights and how long each stays.
func (p *Plan) rungs() []Rung {
	var rungs []Rung
	for _, s := range p.Steps {
		if s.Weight == 0 || s.Weight == 100 {
			continue
		}
		if n := len(rungs); n == 0 || rungs[n-1].Weight != s.Weight {
			rungs = append(rungs, Rung{Weight: s.Weight})
		}
		last := &rungs[len(rungs)-1]
		last.Stays, last.Person = last.Stays+s.Stays, last.Person || s.Kind == spec.Pause
	}
	return rungs
}

func (r Rung) needs(t analysis.Test, bad float64, o Options) Rung {
	n := backtest.Even{
		Rule: t.Rule, Requests: o.Requests, Weight: float64(r.Weight) / 100, Bad: bad, Inject: o.Fault,
		Limit: Longest, Runs: runs, Seed: seed,
	}.Try()
	r.Requests = o.Requests * float64(r.Weight) / 100
	r.Half, r.Most, r.Pass = n.Median.Seconds(), n.Slow.Seconds(), n.Pass.Seconds()
	r.HalfOfRequests, r.MostOfRequests = int64(r.Half*r.Requests), int64(r.Most*r.Requests)
	return r
}
