package convert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// never is a schedule of a CronJob that is only a template.
const never = "0 0 1 1 *"

// job turns a metric with a Job into a step that runs it, and a CronJob that has its template.
func (n *one) job(f, p field) {
	for _, e := range f.entries() {
		switch e.key {
		case "name", "provider":
		case "count", "interval", "initialDelay":
			e.lost("a job step runs its Job once, when the rollout comes to it")
		default:
			e.lost("a Job succeeds or fails; its backoffLimit says how often it is tried")
		}
	}
	template, err := n.jobTemplate(p)
	if err != nil {
		f.lost("%s", strings.TrimSuffix(err.Error(), "."))
		return
	}
	name := n.cronJob(f.at("name").text(), template)
	if !n.c.step(f.at("name"), "job="+name) {
		return
	}
	f.note(Changed, "its Job becomes the step job=%s, which the next step waits for; the suspended CronJob of that name has the template",
		name)
}

// jobTemplate is the metadata and the spec of the Job with the arguments filled in.
func (n *one) jobTemplate(p field) (*yaml.Node, error) {
	if !p.at("spec").there() {
		return nil, errors.New("the Job has no spec")
	}
	var failed error
	fill := func(s *yaml.Node) {
		text, err := n.filled(s.Value)
		if err == nil && (strings.Contains(text, "{{canary-service}}") || strings.Contains(text, "{{namespace}}")) {
			err = errors.New("a Job has no variables: HEADGATE_CANARY_ADDRESS and HEADGATE_NAMESPACE are in its environment (docs/gates.md)")
		}
		if err != nil && failed == nil {
			failed = err
		}
		s.Value = text
	}
	template := mapping()
	for _, key := range []string{"metadata", "spec"} {
		p.at(key).use()
		put(template, key, clone(p.at(key).node, fill))
	}
	if failed == nil && n.selectsOwn(lookup(template, "spec", "template", "metadata", "labels")) {
		failed = errors.New("its pods have the labels of the Deployment's own pods, so its Service would send them requests: give them others")
	}
	return template, failed
}

// selectsOwn says whether the selector of the Deployment matches labels.
func (n *one) selectsOwn(labels *yaml.Node) bool {
	selector := lookup(n.c.from.root, "spec", "selector", "matchLabels")
	if selector == nil || len(selector.Content) == 0 {
		return false
	}
	for i := 0; i+1 < len(selector.Content); i += 2 {
		if valueOf(labels, selector.Content[i].Value) != selector.Content[i+1].Value {
			return false
		}
	}
	return true
}

var notInObjectNames = regexp.MustCompile(`[^a-z0-9-]+`)

// cronJob returns the name of a CronJob with the template of a Job, which it adds to the manifests if none has it.
func (n *one) cronJob(metric string, template *yaml.Node) string {
	base := notInObjectNames.ReplaceAllString(strings.ToLower(n.c.from.name()+"-"+metric), "-")
	base = strings.Trim(base[:min(len(base), 49)], "-")
	for i, name := 2, base; ; i++ {
		made := slices.IndexFunc(n.c.manifests, func(m *yaml.Node) bool { return valueOf(m, "metadata", "name") == name })
		switch {
		case made < 0:
			n.c.manifests = append(n.c.manifests, cronJob(name, n.c.from.namespace(), template))
			return name
		case jsonOf(lookup(n.c.manifests[made], "spec", "jobTemplate")) == jsonOf(template):
			return name
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}

func cronJob(name, namespace string, template *yaml.Node) *yaml.Node {
	out := mapping()
	put(out, "apiVersion", str("batch/v1"))
	put(out, "kind", str("CronJob"))
	meta := child(out, "metadata")
	put(meta, "name", str(name))
	if namespace != "" {
		put(meta, "namespace", str(namespace))
	}
	spec := child(out, "spec")
	put(spec, "schedule", str(never))
	put(spec, "suspend", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	put(spec, "jobTemplate", template)
	return out
}
