package analysis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// maxConcurrent is how many queries of one measurement run at the same time.
const maxConcurrent = 4

// Options are the operator's settings. With the zero value, built-in metrics are an
// Error.
type Options struct {
	// Source is where built-in metrics come from. If it is set, every measurement
	// at a weight above 0 also finds out whether the router ignores the canary.
	Source Source

	// RecipesNamespace has the ConfigMaps that recipe/NAME names, for the Deployments of
	// every namespace; see RecipeLabel. "": there are none.
	RecipesNamespace string

	// Now is the present time. nil: time.Now.
	Now func() time.Time
}

// Judge measures canaries. It is safe for concurrent use.
type Judge struct {
	providers Providers
	reader    client.Reader
	options   Options
}

// New returns a Judge that asks providers and reads ConfigMaps through reader. Pass a
// reader without a cache: one with a cache would watch every ConfigMap of the cluster.
func New(providers Providers, reader client.Reader, o Options) *Judge {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Judge{providers: providers, reader: reader, options: o}
}

func (j *Judge) now() time.Time { return j.options.Now() }

// Resolved is an analysis as its annotation and its ConfigMap were when Resolve read
// them. A later edit changes neither its plan nor its conditions.
type Resolved struct {
	judge    *Judge
	analysis Analysis
	rules    string
}

// Resolve parses the headgate.dev/analysis annotation of a Deployment in
// namespace, and reads the ConfigMap that it may name. nil, nil: the text is
// empty, so there is no analysis. If configmap/NAME is missing, the error satisfies
// apierrors.IsNotFound.
func (j *Judge) Resolve(ctx context.Context, namespace, text string) (*Resolved, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	rules, a, err := j.read(ctx, namespace, strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	return &Resolved{judge: j, analysis: a, rules: rules}, nil
}

// Plan is what the decision needs to know of the analysis.
func (r *Resolved) Plan() rollout.AnalysisPlan { return r.analysis.Plan }

// Rules is the analysis as text: of a recipe, with the values of its parameters. Resolve
// understands it, and reads no ConfigMap for it.
func (r *Resolved) Rules() string { return r.rules }

// Measure sends all queries of the analysis and returns the worst verdict: Fail, then
// Error, then Inconclusive. It is a Pass only if every metric passed. The message says
// what led to the verdict. It does not fail: what cannot be measured is an Error.
//
// A Window of less than a second means the interval of the analysis. At weight 0 with
// no header or cookie matched, no request can come to the canary: then only metrics
// that do not count requests are measured.
func (r *Resolved) Measure(ctx context.Context, s rollout.Subject) rollout.Measurement {
	a := r.analysis
	if s.Weight == 0 && !s.Matched {
		a = a.withoutTraffic()
	}
	if s.Window < time.Second {
		s.Window = a.Plan.Interval
	}
	rec, now := decodeRecord(s.Evidence), r.judge.now()
	rec.beginWeight(s.Since)
	due, standing := a.split(&rec, now)
	q, err := questionsFor(due, s, r.judge.options)
	if err != nil {
		return errorMeasurement(err)
	}
	settle := func(m Metric, found finding) finding { return rec.settle(m, rec.count(m, found, now)) }
	findings, ignored := assess(due, s, r.judge.options.Source, r.judge.ask(ctx, q, s), settle)
	findings = append(findings, standing...)
	var numbers rollout.Measurement
	if slices.ContainsFunc(a.Metrics, Metric.isComparison) {
		findings = append(findings, r.judge.compare(ctx, a, s, &rec, settle, &numbers)...)
	}
	m := combine(findings)
	m.Ignored, m.Compared, m.Kept, m.WouldFail = ignored, numbers.Compared, rec.changed, clip(strings.Join(rec.wouldFail, "; "))
	m.Shown = m.Verdict == rollout.Pass && numbers.Shown
	if s.Evidence != "" || !rec.isEmpty() || slices.ContainsFunc(a.Metrics, Metric.isDelayed) {
		if m.Evidence, err = rec.encode(); err != nil {
			return errorMeasurement(fmt.Errorf("the evidence cannot be stored: %w", err))
		}
	}
	return m
}

// split returns the part of a that is to be measured now, with every comparison, and what
// stands of the rest.
func (a Analysis) split(rec *record, now time.Time) (due Analysis, standing []finding) {
	due = a
	due.Metrics = nil
	for _, m := range a.Metrics {
		if m.isComparison() || rec.due(m, now) {
			due.Metrics = append(due.Metrics, m)
			continue
		}
		standing = append(standing, rec.settle(m, rec.standing(m)))
	}
	return due, standing
}

func errorMeasurement(err error) rollout.Measurement {
	return rollout.Measurement{Verdict: rollout.Error, Message: clip(err.Error())}
}

// read parses text and returns it. If that names a ConfigMap, it does so with the text in
// there, which must not name another.
func (j *Judge) read(ctx context.Context, namespace, text string) (rules string, a Analysis, err error) {
	a, err = j.parse(text)
	if err != nil || a.ConfigMap == "" {
		return text, a, err
	}
	rules, err = j.fillIn(ctx, namespace, a)
	if err != nil {
		return "", Analysis{}, err
	}
	name := a.reference()
	if a, err = j.parse(rules); err != nil {
		return "", Analysis{}, fmt.Errorf("%s: %w", name, err)
	}
	if a.ConfigMap != "" {
		return "", Analysis{}, fmt.Errorf("%s refers to %s, want the analysis itself: write for example %s: %s",
			name, a.reference(), keyAnalysis, lineExample)
	}
	return rules, a, nil
}

// fillIn reads the ConfigMap that a names, and fills in the parameters.
func (j *Judge) fillIn(ctx context.Context, namespace string, a Analysis) (string, error) {
	if a.OfOperator {
		namespace = j.options.RecipesNamespace
	}
	if a.OfOperator && namespace == "" {
		return "", fmt.Errorf("%s: the operator has named no namespace for recipes (HEADGATE_RECIPES_NAMESPACE)", a.reference())
	}
	var cm corev1.ConfigMap
	err := j.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: a.ConfigMap}, &cm)
	if a.OfOperator && (apierrors.IsNotFound(err) || err == nil && cm.Labels[RecipeLabel] != "true") {
		// One answer for both: or it could be found out which ConfigMaps the operator has.
		return "", fmt.Errorf("%s: there is no such recipe: in namespace %s, no ConfigMap with this name has the label %s=true",
			a.reference(), namespace, RecipeLabel)
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", a.reference(), err)
	}
	rules, err := fillIn(&cm, a.Parameters)
	if err != nil {
		return "", fmt.Errorf("%s: %w", a.reference(), err)
	}
	return strings.TrimSpace(rules), nil
}

// parse is Parse, and asks the providers whether they understand their questions.
func (j *Judge) parse(text string) (Analysis, error) {
	a, err := Parse(text)
	if err != nil {
		return Analysis{}, err
	}
	return a, j.providers.check(a)
}

// ask sends every question to its provider. Each has its own reading.
func (j *Judge) ask(ctx context.Context, q questions, s rollout.Subject) answers {
	r := answers{metrics: make([]reading, len(q.metrics))}
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	send := func(q *question, into *reading) {
		if q == nil {
			return
		}
		group.Go(func() error {
			*into = j.askOne(ctx, q, s)
			return nil
		})
	}
	for i, asked := range q.metrics {
		send(asked, &r.metrics[i])
	}
	send(q.canaryRequests, &r.canaryRequests)
	send(q.stableOnly, &r.stableOnly)
	_ = group.Wait() // no function returns an error
	return r
}

func (j *Judge) askOne(ctx context.Context, q *question, s rollout.Subject) reading {
	name := q.metric.providerName()
	p, err := j.providers.named(name)
	if err != nil {
		return reading{err: explainSilence(name, err)}
	}
	answer, err := p.Ask(ctx, q.Question, within(s, q.metric))
	if err != nil {
		return reading{err: explainSilence(name, err)}
	}
	return q.metric.read(answer)
}
