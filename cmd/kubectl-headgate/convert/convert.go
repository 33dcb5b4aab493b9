package convert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/rollout/spec"
)

// Result is what came of the input.
type Result struct {
	Conversions []Converted
	Remarks     []Remark // about objects of the input that belong to none
}

// Converted is what takes the place of one Rollout or Canary: a Deployment, and what it needs beside it.
type Converted struct {
	From      string // "Rollout shop/web (rollout.yaml:1)"
	Manifests []*yaml.Node
	Remarks   []Remark // in the order of the input
}

// AllRemarks are those about everything.
func (r Result) AllRemarks() []Remark {
	var all []Remark
	for _, c := range r.Conversions {
		all = append(all, c.Remarks...)
	}
	return append(all, r.Remarks...)
}

// Complete says that nothing was lost.
func (r Result) Complete() bool {
	return !slices.ContainsFunc(r.AllRemarks(), func(m Remark) bool { return m.Kind == Lost })
}

// Convert converts every Rollout and every Canary among objects. Objects of other kinds are used where one of these
// refers to them. An error names an object that cannot be converted at all, and what is missing.
func Convert(objects []*Object) (Result, error) {
	var r Result
	used := map[*Object]bool{}
	for _, o := range objects {
		convert := converterOf(o)
		if convert == nil {
			continue
		}
		c := &conversion{
			objects: objects, from: o, known: map[*yaml.Node]bool{}, opened: map[*Object]bool{},
			plan: plan{strategy: spec.Canary},
		}
		if err := convert(c); err != nil {
			return Result{}, fmt.Errorf("%s:%d: %s: %w", o.File, o.root.Line, o, err)
		}
		r.Conversions = append(r.Conversions, c.result())
		for _, seen := range c.order {
			used[seen] = true
		}
	}
	if len(r.Conversions) == 0 {
		return Result{}, fmt.Errorf("there is no Rollout (argoproj.io) and no Canary (flagger.app) in the input: it has %s", kindsOf(objects))
	}
	for _, o := range objects {
		if !used[o] && isOfPeer(o) {
			r.Remarks = append(r.Remarks, Remark{
				Kind: Lost, Object: o.String(), File: o.File, Line: o.root.Line, Text: "nothing in the input uses it",
			})
		}
	}
	return r, nil
}

const (
	argoGroup    = "argoproj.io"
	flaggerGroup = "flagger.app"
)

func converterOf(o *Object) func(*conversion) error {
	switch o.group() + "/" + o.kind() {
	case argoGroup + "/Rollout":
		return (*conversion).rollout
	case flaggerGroup + "/Canary":
		return (*conversion).canary
	}
	return nil
}

// isOfPeer says whether nothing but a Rollout or a Canary has a use for o.
func isOfPeer(o *Object) bool {
	return o.group() == flaggerGroup || o.group() == argoGroup && slices.Contains(
		[]string{"AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun", "Experiment"}, o.kind())
}

func kindsOf(objects []*Object) string {
	var kinds []string
	for _, o := range objects {
		if !slices.Contains(kinds, o.kind()) {
			kinds = append(kinds, o.kind())
		}
	}
	if len(kinds) == 0 {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}

// conversion is one Rollout or Canary on its way.
type conversion struct {
	objects []*Object // the whole input
	from    *Object

	known  map[*yaml.Node]bool // what was read of the input
	opened map[*Object]bool
	order  []*Object // those that were opened

	plan      plan
	manifests []*yaml.Node
	remarks   []Remark
	failed    error // why there can be no Deployment
}

// snapshot is what a part of the input has changed that may turn out not to be carried over.
type snapshot struct {
	rules   rules
	remarks int
}

func (c *conversion) snapshot() snapshot { return snapshot{c.plan.analysis, len(c.remarks)} }

func (c *conversion) restore(s snapshot) { c.plan.analysis, c.remarks = s.rules, c.remarks[:s.remarks] }

// result ends the conversion: what nobody has read becomes a remark.
func (c *conversion) result() Converted {
	for _, o := range c.order {
		field{c: c, of: o, node: o.root, line: o.root.Line}.leftovers()
	}
	place := func(r Remark) int {
		return slices.IndexFunc(c.objects, func(o *Object) bool { return o.File == r.File })
	}
	slices.SortStableFunc(c.remarks, func(a, b Remark) int {
		if a.File != b.File {
			return place(a) - place(b)
		}
		return a.Line - b.Line
	})
	return Converted{
		From: fmt.Sprintf("%s (%s:%d)", c.from, c.from.File, c.from.root.Line), Manifests: c.manifests, Remarks: c.remarks,
	}
}

// finish annotates dep and makes it the first manifest.
func (c *conversion) finish(dep *yaml.Node) error {
	if c.failed != nil {
		return c.failed
	}
	all, err := c.plan.annotations()
	if err != nil {
		return fmt.Errorf("this is a fault of the converter, because Headgate would refuse what it wrote: %w", err)
	}
	if valueOf(dep, "spec", "strategy", "type") == "Recreate" {
		c.open(c.from).at("spec").note(Lost, "the Deployment has the strategy Recreate, with which Headgate tries no canary: each version "+
			"goes out at once")
	}
	annotations := child(child(dep, "metadata"), "annotations")
	for _, a := range all {
		put(annotations, a.key, str(a.value))
	}
	c.manifests = append([]*yaml.Node{dep}, c.manifests...)
	return nil
}

// step adds a step, or says about f why it cannot be one.
func (c *conversion) step(f field, word string) (added bool) {
	f.use()
	err := c.plan.add(word)
	if err != nil {
		f.lost("%s", strings.TrimSuffix(err.Error(), "."))
	}
	return err == nil
}

// ownStep adds a step that no field of the input has. It cannot be one only where there are too many.
func (c *conversion) ownStep(word string) {
	if err := c.plan.add(word); err != nil && c.failed == nil {
		c.failed = err
	}
}

// startAtWeight puts weight 0 before steps that have no weight.
func (c *conversion) startAtWeight() {
	if !slices.ContainsFunc(c.plan.steps, func(s spec.Step) bool { return s.Kind == spec.SetWeight }) {
		c.plan.steps = append([]spec.Step{{Kind: spec.SetWeight}}, c.plan.steps...)
		if c.plan.analysis.StartingStep > 0 {
			c.plan.analysis.StartingStep++
		}
	}
}

// progressDeadline reads a number of seconds.
func (c *conversion) progressDeadline(f field) {
	n, ok := f.number()
	switch {
	case !ok || n == 0:
	case n < 0 || n > int(spec.MaxDuration/time.Second):
		f.lost("a deadline is more than 0 and at most %s", spec.FormatDuration(spec.MaxDuration))
	default:
		c.plan.progressDeadline = time.Duration(n) * time.Second
	}
}

// service names a Service of the Deployment.
func (c *conversion) service(f field) {
	c.named(f, &c.plan.services, validation.IsDNS1123Label, "a Service")
}

// ingress names an Ingress of the Deployment.
func (c *conversion) ingress(f field) {
	c.named(f, &c.plan.ingresses, validation.IsDNS1123Subdomain, "an Ingress")
}

func (c *conversion) named(f field, list *[]string, check func(string) []string, what string) {
	name := f.text()
	switch {
	case name == "" || slices.Contains(*list, name):
	case len(check(name)) > 0:
		f.lost("%q is not the name of %s", name, what)
	default:
		*list = append(*list, name)
	}
}
