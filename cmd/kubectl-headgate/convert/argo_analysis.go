package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout/spec"
)

// analyses collects the metrics of all analyses of a Rollout: Headgate has one analysis for a rollout.
type analyses struct {
	c     *conversion
	begun bool
}

// one is one analysis of a Rollout: its templates together.
type one struct {
	*analyses
	f       field
	metrics []field // of all templates
	args    map[string]argument
	dryRun  []field

	background bool          // it goes on beside the steps
	takes      time.Duration // how long a step of it takes: until its last measurement
}

// begin reads an analysis that begins at this step. One in the background goes on, and any other is a step.
func (a *analyses) begin(f field, background bool) {
	f.at("measurementRetention").unneeded("Headgate stores no measurements; events, the condition and metrics tell them")
	f.at("analysisRunMetadata").unneeded("Headgate makes no object for a measurement")
	f.at("startingStep").use()
	n := one{analyses: a, f: f, args: map[string]argument{}, background: background}
	n.open(f.at("templates"), nil)
	n.readArgs(f.at("args"))
	n.dryRun = append(n.dryRun, f.at("dryRun").items()...)
	place, had := len(a.c.plan.steps), len(a.c.plan.analysis.Metrics)
	for _, m := range n.metrics {
		n.metric(m)
	}
	n.markDryRuns()
	added := len(a.c.plan.analysis.Metrics) > had
	n.startAt(place, added)
	if background || !added && !n.measuresAgain() {
		return
	}
	if n.takes > 0 {
		a.c.ownStep(spec.FormatDuration(n.takes))
	}
	a.c.ownStep("analysis")
	f.note(Changed, "Headgate judges these metrics from this step to the end of the rollout, and the step ends with a Pass")
}

// startAt sets the first step that is judged.
func (n *one) startAt(place int, added bool) {
	switch {
	case !added:
	case !n.begun:
		n.c.plan.analysis.StartingStep = min(place, 100)
		n.begun = true
	default:
		n.f.note(Changed, "Headgate has one analysis for a rollout: these metrics are judged from the first analysis on")
	}
}

// measuresAgain says that the metrics of the analysis are there already, from an earlier one.
func (n *one) measuresAgain() bool {
	return len(n.c.plan.analysis.Metrics) > 0 && slices.ContainsFunc(n.metrics, func(m field) bool { return !m.at("provider", "job").there() })
}

// open collects the metrics of templates, and of those that they name.
func (n *one) open(refs field, above []*Object) {
	for _, ref := range refs.items() {
		kind := "AnalysisTemplate"
		if ref.at("clusterScope").truth() {
			kind = "ClusterAnalysisTemplate"
		}
		name := ref.at("templateName").text()
		o := find(n.c.objects, kind, n.c.from.namespace(), name)
		switch {
		case o == nil:
			ref.lost("%s %s is not in the input: add its file with -f", kind, name)
		case slices.Contains(above, o):
			ref.lost("%s names itself", o)
		default:
			n.openTemplate(n.c.open(o), append(above, o))
		}
	}
}

func (n *one) openTemplate(t field, above []*Object) {
	t.templateMetadata()
	s := t.at("spec")
	s.at("measurementRetention").unneeded("Headgate stores no measurements; events, the condition and metrics tell them")
	n.metrics = append(n.metrics, s.at("metrics").items()...)
	n.dryRun = append(n.dryRun, s.at("dryRun").items()...)
	n.readArgs(s.at("args"))
	n.open(s.at("templates"), above)
}

// argument is the value of {{args.NAME}}.
type argument struct {
	text string
	hash string // "Latest" or "Stable": it is the hash of these pods
	why  string // it has no value here, and this is why
}

// readArgs reads arguments with their values. Those that are read later win: the Rollout's are read last.
func (n *one) readArgs(list field) {
	for _, f := range list.items() {
		name := f.at("name").text()
		from := f.at("valueFrom")
		switch {
		case f.at("value").there():
			n.args[name] = argument{text: f.at("value").text()}
		case from.at("podTemplateHashValue").there():
			n.args[name] = argument{hash: from.at("podTemplateHashValue").text()}
		case from.at("fieldRef").there():
			n.args[name] = n.fieldOf(from.at("fieldRef", "fieldPath").text())
		case from.at("secretKeyRef").there():
			f.lost("credentials belong to a provider, which the operator of Headgate sets up")
			n.args[name] = argument{why: "its value is in a Secret"}
		default:
			if _, set := n.args[name]; !set {
				n.args[name] = argument{why: "it has no value"}
			}
		}
	}
}

var pathParts = regexp.MustCompile(`([A-Za-z0-9_-]+)|\['([^']+)'\]|\["([^"]+)"\]`)

// fieldOf is the value of a field of the Rollout.
func (n *one) fieldOf(text string) argument {
	var keys []string
	for _, m := range pathParts.FindAllStringSubmatch(text, -1) {
		keys = append(keys, m[1]+m[2]+m[3])
	}
	if value := valueOf(n.c.from.root, keys...); value != "" {
		return argument{text: value}
	}
	if text == "metadata.namespace" {
		return argument{text: "{{namespace}}"}
	}
	return argument{why: "the Rollout has no " + text}
}

var argPlaceholder = regexp.MustCompile(`\{\{\s*args\.([A-Za-z0-9_.-]+)\s*\}\}`)

// filled is text with the values of its arguments. The names of Services become variables where they mean the canary.
func (n *one) filled(text string) (string, error) {
	var failed error
	text = argPlaceholder.ReplaceAllStringFunc(text, func(written string) string {
		name := argPlaceholder.FindStringSubmatch(written)[1]
		a, known := n.args[name]
		switch {
		case !known:
			failed = fmt.Errorf("nothing sets {{args.%s}}", name)
		case a.why != "":
			failed = fmt.Errorf("{{args.%s}}: %s", name, a.why)
		case a.hash != "":
			failed = fmt.Errorf("{{args.%s}} is the hash of pods, which Headgate does not know: select by {{track-label}} or {{canary-pods}}", name)
		}
		return n.serviceOf(a.text)
	})
	return text, failed
}

// serviceOf is {{canary-service}} for the name of the canary Service, with or without its domain.
func (n *one) serviceOf(value string) string {
	s := lookup(n.c.from.root, "spec", "strategy")
	for _, canary := range []string{valueOf(s, "canary", "canaryService"), valueOf(s, "blueGreen", "previewService")} {
		if rest, ok := strings.CutPrefix(value, canary); ok && canary != "" && (rest == "" || rest[0] == '.') {
			return "{{canary-service}}" + rest
		}
	}
	return value
}

var matcher = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)\s*(=~|=)\s*"([^"]*\{\{\s*args\.([A-Za-z0-9_.-]+)\s*\}\}[^"]*)"`)

// withHashes replaces selectors by the hash of pods in a PromQL query: Headgate tells versions apart by its track label.
func (n *one) withHashes(query string) string {
	return matcher.ReplaceAllStringFunc(query, func(written string) string {
		m := matcher.FindStringSubmatch(written)
		label, value, hash := m[1], m[3], n.args[m[4]].hash
		alone := strings.TrimSpace(argPlaceholder.ReplaceAllString(value, "")) == ""
		switch {
		case hash == "":
		case strings.HasSuffix(label, "hash") && alone:
			return fmt.Sprintf(`{{track-label}}="{{%s-track}}"`, map[string]string{"Latest": "canary", "Stable": "stable"}[hash])
		case hash == "Latest" && slices.Contains([]string{"pod", "pod_name", "kubernetes_pod_name"}, label):
			return label + `=~"{{canary-pods}}"`
		case hash == "Latest" && label == "replicaset":
			return label + `="{{canary-replicaset}}"`
		}
		return written
	})
}

// markDryRuns sets dryRun of the metrics that a dry run names, by name or by a regular expression.
func (n *one) markDryRuns() {
	for _, f := range n.dryRun {
		pattern := f.at("metricName").text()
		found := false
		for i := range n.c.plan.analysis.Metrics {
			if m := &n.c.plan.analysis.Metrics[i]; isNamed(m.Name, pattern) {
				m.DryRun, found = true, true
			}
		}
		if !found {
			f.lost("no metric that is carried over has the name %q", pattern)
		}
	}
}

// isNamed says whether a dry run with this name, or regular expression, means a metric.
func isNamed(metric, pattern string) bool {
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	return metric == cleanName(pattern) || err == nil && re.MatchString(metric)
}

// whole is a number that may be an argument.
func (n *one) whole(f field) (number int, ok bool) {
	if !f.there() {
		return 0, false
	}
	text, err := n.filled(f.node.Value)
	if err == nil {
		number, err = strconv.Atoi(text)
	}
	if err != nil {
		f.lost("%q is no whole number", f.node.Value)
		return 0, false
	}
	f.use()
	return number, true
}
