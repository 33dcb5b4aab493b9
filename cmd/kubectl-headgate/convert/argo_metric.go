package convert

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// endless is how many Fail a metric tolerates that never fails. Each of them holds the weight.
const endless = 1_000_000

// metric converts a metric of a template and adds it to the plan, or says why not.
func (n *one) metric(f field) {
	m := metric{Name: n.c.freeName(f.at("name").text())}
	providers := f.at("provider").entries()
	if len(providers) != 1 {
		f.lost("a metric has exactly one provider")
		return
	}
	p := providers[0]
	if p.key == "job" {
		if slices.ContainsFunc(n.dryRun, func(dry field) bool { return isNamed(m.Name, dry.at("metricName").text()) }) {
			f.lost("a Job that decides nothing has no like in Headgate")
			return
		}
		n.job(f, p.field)
		return
	}
	convert, known := argoProviders[p.key]
	if !known {
		f.lost("Headgate has no provider of type %s (docs/providers.md)", p.key)
		return
	}
	before := n.c.snapshot()
	d := &draft{one: n, metric: &m, f: f, p: p.field}
	convert(d)
	d.settings()
	if err := d.add(d.conditions()); err != nil {
		n.c.restore(before) // what is said of a part of it means nothing now
		f.lost("%s", strings.TrimSuffix(err.Error(), "."))
		return
	}
	n.takes = max(n.takes, d.takes)
}

// add adds the metrics that f became, except those that are there already.
func (d *draft) add(metrics []metric) error {
	if d.err != nil {
		return d.err
	}
	for _, m := range metrics {
		if d.isThere(cleanName(d.f.at("name").text()), m) {
			continue
		}
		if err := d.c.plan.addMetric(m); err != nil {
			return err
		}
	}
	return nil
}

// isThere says whether an earlier analysis has the same metric. base is its name in the template.
func (n *one) isThere(base string, m metric) bool {
	for _, had := range n.c.plan.analysis.Metrics {
		m.Name = had.Name
		if strings.HasPrefix(had.Name, base) && encodeYAML(had) == encodeYAML(m) {
			return true
		}
	}
	return false
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_.-]+`)

// cleanName is a name as Headgate accepts it.
func cleanName(name string) string {
	name = strings.Trim(notInNames.ReplaceAllString(name, "-"), "-_.")
	return cmp.Or(strings.Trim(name[:min(len(name), 55)], "-_."), "metric")
}

// freeName is a name for a metric that no other one has: "errors", "errors-2".
func (c *conversion) freeName(name string) string {
	name = cleanName(name)
	for i, tried := 2, name; ; i++ {
		if !slices.ContainsFunc(c.plan.analysis.Metrics, func(m metric) bool { return m.Name == tried }) {
			return tried
		}
		tried = fmt.Sprintf("%s-%d", name, i)
	}
}

// draft is a metric on its way.
type draft struct {
	*one
	*metric
	f, p field // the metric, and its provider

	// judge turns a condition into one of m, or says why that cannot be.
	judge func(m *metric, e *expr) error
	takes time.Duration // until the last measurement of a step
	err   error
}

// text is the value of a field with its arguments filled in.
func (d *draft) text(f field) string {
	text, err := d.filled(f.text())
	d.fail(err)
	return text
}

func (d *draft) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// operators names fields that belong to the settings of the provider.
func (d *draft) operators(keys ...string) {
	for _, key := range keys {
		d.p.at(key).lost("it belongs to the settings of a provider, which the operator of Headgate writes (docs/providers.md)")
	}
}

// settings are the fields that every metric has.
func (d *draft) settings() {
	every := d.f.at("interval")
	if every.there() {
		d.Interval = d.text(every)
	}
	delay := d.f.at("initialDelay")
	delayed := d.text(delay)
	wait, _ := time.ParseDuration(delayed)
	if delay.there() && d.background {
		d.InitialDelay = delayed
		delay.note(Changed, "it counts from the first weight of the rollout, and the weight is held meanwhile")
	}
	count, _ := d.whole(d.f.at("count"))
	between, _ := time.ParseDuration(d.Interval)
	d.takes = wait + time.Duration(max(count-1, 0))*between
	d.failures(!every.there() && count <= 1)
	d.limits()
}

// failures reads how many Fail are tolerated. Headgate asks as long as it judges the canary. A count would make the last
// answer stand, also if that was none. So a number that was asked once has the limit of Headgate for a number.
func (d *draft) failures(once bool) {
	limit := d.f.at("failureLimit")
	failures, _ := d.whole(limit)
	switch {
	case failures < 0:
		failures = endless
		limit.changed("each Fail holds the weight, and none ends the rollout")
	case once && failures == 0:
		d.f.note(Changed, "it was asked once; Headgate goes on asking, every 30s, and three Fail in a row roll back")
		return
	case d.f.at("count").there():
		d.f.at("count").note(Changed, "Headgate goes on asking as long as it judges the canary")
	}
	d.FailureLimit = &failures
}

func (d *draft) limits() {
	if limit, _ := d.whole(d.f.at("inconclusiveLimit")); limit > 0 {
		d.InconclusiveLimit, d.OnInconclusive = limit, "hold"
	}
	limit, ok := d.whole(d.f.at("consecutiveErrorLimit"))
	errorLimit := &d.c.plan.analysis.ErrorLimit
	switch {
	case ok && limit <= 0:
		d.f.at("consecutiveErrorLimit").lost("without errorLimit Headgate holds the weight while a provider does not answer")
	case ok && *errorLimit > 0 && *errorLimit != limit:
		d.f.at("consecutiveErrorLimit").changed("Headgate has one errorLimit for the analysis: it is the smallest, %d", min(limit, *errorLimit))
		*errorLimit = min(limit, *errorLimit)
	case ok:
		*errorLimit = limit
	}
	d.f.at("consecutiveSuccessLimit").lost("Headgate counts no Pass in a row")
}

// conditions returns the metric with its condition. Where Argo Rollouts has a third outcome between success and
// failure, a second metric holds the weight there.
func (d *draft) conditions() []metric {
	success, failure := d.condition("successCondition"), d.condition("failureCondition")
	if d.err != nil {
		return nil
	}
	switch {
	case success == nil && failure == nil:
		d.fail(errors.New("it has no condition, so it decides nothing"))
		return nil
	case failure == nil:
		return d.judged(*d.metric, success)
	case success == nil, negated(failure).String() == success.String():
		return d.judged(*d.metric, negated(failure))
	}
	hold := *d.metric
	limit := endless
	hold.Name, hold.FailureLimit = d.c.freeName(d.Name+"-success"), &limit
	d.f.at("successCondition").note(Changed, "what is neither success nor failure is Inconclusive; here the metric %s holds the weight then",
		hold.Name)
	return append(d.judged(*d.metric, negated(failure)), d.judged(hold, success)...)
}

func (d *draft) judged(m metric, e *expr) []metric {
	d.fail(d.judge(&m, e))
	return []metric{m}
}

// condition reads one of the two conditions. What it says about missing data is taken out of it.
func (d *draft) condition(key string) *expr {
	f := d.f.at(key)
	text := d.text(f)
	if strings.TrimSpace(text) == "" || d.err != nil {
		return nil
	}
	e, err := parseExpr(text)
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", key, err))
		return nil
	}
	with, said := folded(e, false)
	without, _ := folded(e, true)
	passes, decided := constant(without)
	switch {
	case !said:
	case decided && passes == (key == "successCondition"):
		f.note(Lost, "without data, or with NaN, it is a success; Headgate then finds Inconclusive and holds the weight. If no series means "+
			"zero, add \"or vector(0)\" to the query")
	default:
		f.note(Changed, "without data, or with NaN, Headgate finds Inconclusive and holds the weight")
	}
	if _, always := constant(with); always {
		d.fail(fmt.Errorf("%s: %q says nothing about a number", key, text))
	}
	return with
}

// bound is a comparison with a number: left is what is compared, in one spelling.
func bound(e *expr) (left, condition string, ok bool) {
	if e.op == "call" && e.text == "all" && len(e.args) == 2 {
		left, condition, ok = bound(e.args[1])
		return "all(" + e.args[0].String() + ", " + left + ")", condition, ok
	}
	if !isComparison(e) {
		return "", "", false
	}
	value, number, op := e.args[0], e.args[1], e.op
	if value.op == "number" {
		value, number, op = number, value, flipped[op]
	}
	for value.op == "call" && value.text == "asFloat" && len(value.args) == 1 {
		value = value.args[0]
	}
	plain, err := strconv.ParseFloat(number.text, 64)
	if number.op != "number" || err != nil {
		return "", "", false
	}
	return value.String(), op + " " + strconv.FormatFloat(plain, 'f', -1, 64), true
}
