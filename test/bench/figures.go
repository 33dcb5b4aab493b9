package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The names of the figures, in the JSON and for -only.
const (
	nameFirstWeight    = "first-weight"
	nameSlowPods       = "slow-pods"
	nameRollout        = "rollout"
	nameJudged         = "judged-rollout"
	nameMeasurements   = "measurements"
	nameFailing        = "failing"
	nameFailingBusy    = "failing-busy"
	nameWrites         = "writes"
	nameFollowing      = "following-writes"
	namePods           = "pods"
	nameRest           = "rest"
	nameBurst          = "burst"
	nameBurstCPU       = "burst-cpu"
	nameBurstWrites    = "burst-writes"
	nameBurstFollowing = "burst-following-writes"
	nameHop            = "hop"
	nameMemory         = "memory"
	nameCold           = "cold-demo"
	nameSoak           = "soak"
	nameSoakAbort      = "soak-abort"
	nameSoakRSS        = "soak-rss"
	nameSoakGoroutines = "soak-goroutines"
	nameSoakSeries     = "soak-series"
	nameWebhook1       = "webhook"
	nameNoop1          = "noop-webhook"
	namePatch1         = "patch-webhook"
	nameWebhook50      = "webhook-busy"
	nameNoop50         = "noop-webhook-busy"
	namePatch50        = "patch-webhook-busy"
	nameWebhookOthers  = "webhook-others"
	namePolicy1        = "policy"
	namePolicy50       = "policy-busy"
)

// figure is one row of the table.
type figure struct {
	name, unit string
	text       string // what is measured
	// bound says what Headgate must not exceed; nil: the figure is only told. argo is nil where
	// Argo Rollouts was not measured.
	bound func(r *Report, argo *float64) *Bound
}

// Bound is the largest value that a figure may have, and where it comes from.
type Bound struct {
	Value float64 `json:"value"`
	Text  string  `json:"text"`
}

func atMost(value float64, text string) func(*Report, *float64) *Bound {
	return func(*Report, *float64) *Bound { return &Bound{value, text} }
}

// timesArgo is a share of what Argo Rollouts needs. Without it there is no bound.
func timesArgo(share float64) func(*Report, *float64) *Bound {
	return func(_ *Report, argo *float64) *Bound {
		if argo == nil {
			return nil
		}
		return &Bound{share * *argo, fmt.Sprintf("%.1f × Argo Rollouts", share)}
	}
}

// firstWeightBound is half a second, and what Argo Rollouts needs and one more hop: Headgate
// changes a Deployment, whose ReplicaSet another controller makes, where Argo Rollouts makes
// the ReplicaSet itself.
func firstWeightBound(r *Report, argo *float64) *Bound {
	const most = 0.5
	hop := r.median(nameHop)
	if argo == nil || hop == nil || *argo+*hop >= most {
		return &Bound{most, "0.5 s"}
	}
	return &Bound{*argo + *hop, "Argo Rollouts and one hop"}
}

// timesOf is so many times another figure. Without that figure there is no bound.
func timesOf(times float64, name, text string) func(*Report, *float64) *Bound {
	return func(r *Report, _ *float64) *Bound {
		other := r.median(name)
		if other == nil {
			return nil
		}
		return &Bound{times * *other, fmt.Sprintf("%.0f × %s", times, text)}
	}
}

// figures are all rows, in their order.
var figures = []figure{
	{nameHop, "s", "a Deployment is being created → its ReplicaSet is seen", nil},
	{nameFirstWeight, "s", "update accepted → first weight, pods ready at once", firstWeightBound},
	{nameSlowPods, "s", "last pod ready, they need 3 s → first weight", atMost(0.3, "0.3 s")},
	{nameRollout, "s", "update → promoted, five weights and four waits of 4 s", atMost(18, "18 s, ideal 16 s")},
	{nameJudged, "s", "the same with a measurement every 1.5 s", nil},
	{nameMeasurements, "", "measurements of that rollout", nil},
	{nameFailing, "s", "bad value answered → no traffic, alone", atMost(0.05, "50 ms")},
	{nameFailingBusy, "s", "the same beside busy rollouts, half of whose queries hang", atMost(1, "1 s")},
	{nameWrites, "", "own writes of the judged rollout of 4 pods", atMost(30+2*replicas, "30, and 2 for each pod")},
	{nameFollowing, "", "writes of kube-controller-manager for it", atMost(45+3*replicas, "45, and 3 for each pod")},
	{namePods, "", "pods started for it", atMost(replicas, "as many as it has")},
	{nameRest, "", "own writes in 60 s, fleet at rest", atMost(0, "none")},
	{nameBurst, "s", "a part of the fleet updated at once → all promoted", timesArgo(0.5)},
	{nameBurstCPU, "CPU-s", "the manager's CPU time for that", timesArgo(0.4)},
	{nameBurstWrites, "", "own writes for that", nil},
	{nameBurstFollowing, "", "writes of kube-controller-manager for that", nil},
	{nameNoop1, "ms", "a no-op webhook adds to an update, one writer", nil},
	{namePatch1, "ms", "one that changes two fields and does nothing else adds, one writer", nil},
	{nameWebhook1, "ms", "Headgate's webhook adds to a matched update, one writer", timesOf(2, nameNoop1, "a no-op webhook")},
	{nameNoop50, "ms", "a no-op webhook adds to an update, 50 writers", nil},
	{namePatch50, "ms", "one that changes two fields and does nothing else adds, 50 writers", nil},
	{nameWebhook50, "ms", "Headgate's webhook adds to a matched update, 50 writers", timesOf(2, nameNoop50, "a no-op webhook")},
	{nameWebhookOthers, "", "calls of the webhook for writes that do not concern it", atMost(0, "none")},
	{namePolicy1, "ms", "Headgate's admission policy adds to a matched update, one writer", timesOf(1, nameWebhook1, "Headgate's webhook")},
	{namePolicy50, "ms", "Headgate's admission policy adds to a matched update, 50 writers", timesOf(1, nameWebhook50, "Headgate's webhook")},
	{nameSoak, "", "broken invariants in the soak", atMost(0, "none")},
	{nameSoakAbort, "s", "longest time from an abort to no traffic in the soak", nil},
	{nameSoakRSS, "×", "RSS in its last quarter, by that in its second", atMost(1.1, "as much, within a tenth")},
	{nameSoakGoroutines, "×", "goroutines after it, by those before", atMost(1.1, "as many, within a tenth")},
	{nameSoakSeries, "", "series about single applications that it leaves behind", atMost(0, "none")},
	{nameMemory, "MB", "RSS of the larger replica in a large cluster", atMost(200, "200 MB")},
}

// coldFigure is measured by Cold alone.
var coldFigure = figure{nameCold, "CPU-min", "make demo after a fresh clone", atMost(15, "15 CPU-minutes")}

// experiment is one thing that is done to a tool, from which figures come.
type experiment struct {
	name         string
	figures      []string
	headgateOnly bool
	settle       bool // needs Options.Settle instead of the default
	run          func(context.Context, *bench, tool) (*findings, error)
}

// experiments are in the order in which they are run: those with the default settle time
// first.
var experiments = []experiment{
	{name: "Deployment to ReplicaSet", figures: []string{nameHop, nameFirstWeight}, headgateOnly: true, run: hop},
	{name: "first weight", figures: []string{nameFirstWeight}, run: firstWeight},
	{name: "first weight with slow pods", figures: []string{nameSlowPods}, run: slowPods},
	{name: "rollout", figures: []string{nameRollout}, run: wholeRollout},
	{name: "bad version", figures: []string{nameFailing}, run: failing},
	{name: "bad version beside busy rollouts", figures: []string{nameFailingBusy}, run: failingBusy},
	{
		name: "rollout with measurements", settle: true, run: judgedRollout,
		figures: []string{nameJudged, nameMeasurements, nameWrites, nameFollowing, namePods},
	},
	{
		name: "fleet", settle: true, run: burst,
		figures: []string{nameRest, nameBurst, nameBurstCPU, nameBurstWrites, nameBurstFollowing},
	},
	{
		name: "webhook", headgateOnly: true, settle: true, run: webhookCost,
		figures: []string{nameNoop1, namePatch1, nameWebhook1, nameNoop50, namePatch50, nameWebhook50, nameWebhookOthers},
	},
	{
		name: "soak", headgateOnly: true, settle: true, run: soak,
		figures: []string{nameSoak, nameSoakAbort, nameSoakRSS, nameSoakGoroutines, nameSoakSeries},
	},
	// The last, because it installs Headgate in another mode.
	{name: "admission policy", headgateOnly: true, settle: true, run: policyCost, figures: []string{namePolicy1, namePolicy50}},
}

func (e experiment) wanted(chosen []figure) bool {
	return slices.ContainsFunc(chosen, func(f figure) bool { return slices.Contains(e.figures, f.name) })
}

// choose returns the figures with these names, all for none.
func choose(names []string) []figure {
	if len(names) == 0 {
		return figures
	}
	var chosen []figure
	for _, f := range figures {
		if slices.Contains(names, f.name) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// Known returns an error that lists the figures if one of names is not a figure.
func Known(names []string) error {
	var known []string
	for _, f := range figures {
		known = append(known, f.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no figure is named %q: choose from %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// Explain is a text with a line for each figure.
func Explain() string {
	var b strings.Builder
	for _, f := range figures {
		fmt.Fprintf(&b, "  %-22s %s\n", f.name, f.text)
	}
	return b.String()
}

// findings are what an experiment has found, by the name of a figure.
type findings struct {
	values map[string][]float64
	notes  map[string][]string
}

func newFindings() *findings {
	return &findings{values: map[string][]float64{}, notes: map[string][]string{}}
}

func (f *findings) add(name string, value float64) { f.values[name] = append(f.values[name], value) }

func (f *findings) seconds(name string, d time.Duration) { f.add(name, d.Seconds()) }

func (f *findings) note(name, text string) {
	if text != "" {
		f.notes[name] = append(f.notes[name], text)
	}
}
