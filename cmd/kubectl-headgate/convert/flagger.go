package convert

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/headgate/headgate/rollout/spec"
)

// canary converts a Canary of Flagger.
func (c *conversion) canary() error {
	f := c.open(c.from)
	f.fromCluster()
	for _, key := range []string{"name", "namespace"} {
		f.at("metadata", key).use()
	}
	for _, key := range []string{"labels", "annotations"} {
		f.at("metadata", key).lost("the Deployment keeps its own")
	}
	s := f.at("spec")
	dep, err := c.flaggerTarget(s.at("targetRef"))
	if err != nil {
		return err
	}
	c.flaggerService(s, dep)
	c.flaggerRest(s)
	a := s.at("analysis")
	if !a.there() {
		a = s.at("canaryAnalysis")
	}
	if s.at("skipAnalysis").truth() || !a.there() {
		a.unneeded("spec.skipAnalysis is true, so each version goes to all users at once")
		c.ownStep("100%")
		return c.finish(dep)
	}
	c.flaggerAnalysis(a)
	return c.finish(dep)
}

// flaggerTarget is the Deployment that the Canary names.
func (c *conversion) flaggerTarget(ref field) (*yaml.Node, error) {
	kind, name := ref.at("kind").text(), ref.at("name").text()
	ref.at("apiVersion").use()
	if kind != "Deployment" {
		return nil, fmt.Errorf("spec.targetRef names a %s: Headgate rolls out Deployments", kind)
	}
	o := find(c.objects, kind, c.from.namespace(), name)
	if o == nil {
		return nil, fmt.Errorf("spec.targetRef names Deployment %s, which is not in the input: add its file with -f", name)
	}
	return c.deployment(o), nil
}

// flaggerService makes the Service that Flagger made, unless the input has it.
func (c *conversion) flaggerService(s field, dep *yaml.Node) {
	f := s.at("service")
	name := f.at("name").text()
	if name == "" {
		name = valueOf(dep, "metadata", "name")
	}
	c.plan.services = []string{name}
	if find(c.objects, "Service", c.from.namespace(), name) != nil {
		for _, key := range []string{"port", "portName", "targetPort", "appProtocol", "apex"} {
			f.at(key).unneeded("the input has the Service %s", name)
		}
		return
	}
	port := mapping()
	portName := f.at("portName").text()
	if portName == "" {
		portName = "http"
	}
	put(port, "name", str(portName))
	put(port, "port", f.at("port").copied())
	put(port, "targetPort", f.at("targetPort").copied())
	put(port, "appProtocol", f.at("appProtocol").copied())
	out := mapping()
	put(out, "apiVersion", str("v1"))
	put(out, "kind", str("Service"))
	meta := child(out, "metadata")
	put(meta, "name", str(name))
	put(meta, "namespace", clone(lookup(dep, "metadata", "namespace"), nil))
	put(meta, "labels", f.at("apex", "labels").copied())
	put(meta, "annotations", f.at("apex", "annotations").copied())
	put(child(out, "spec"), "selector", clone(lookup(dep, "spec", "selector", "matchLabels"), nil))
	put(child(out, "spec"), "ports", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{port}})
	c.manifests = append(c.manifests, out)
	f.note(Changed, "Flagger made the Service %s and Kubernetes deletes it with the Canary, so it is a manifest of yours now", name)
}

// flaggerRest reads the fields beside the service and the analysis.
func (c *conversion) flaggerRest(s field) {
	ref := s.at("ingressRef")
	c.ingress(ref.at("name"))
	ref.at("apiVersion").use()
	ref.at("kind").use()
	provider := s.at("provider")
	switch p := provider.text(); {
	case ref.there() && (p == "" || p == "nginx"):
	case p == "" || p == "nginx":
		s.at("service").note(Changed, "the Service needs an Ingress to it: without one no rollout begins (NoIngress)")
	default:
		provider.lost("Headgate splits traffic by a canary Ingress that ingress-nginx or Traefik read, so the Deployment needs an Ingress")
	}
	s.at("metricsServer").lost("the operator of Headgate says where Prometheus is (HEADGATE_PROMETHEUS_ADDRESS)")
	s.at("revertOnDeletion").unneeded("without its annotations the Deployment is an ordinary one, with its pods")
	if s.at("suspend").truth() {
		s.at("suspend").lost("during a rollout type kubectl headgate pause")
	}
	c.progressDeadline(s.at("progressDeadlineSeconds"))
	scaler := s.at("autoscalerRef")
	for _, key := range []string{"primaryScalerQueries", "primaryScalerReplicas"} {
		scaler.at(key).lost("Headgate has no second autoscaler: yours scales stable, and the canary follows")
	}
	for _, key := range []string{"apiVersion", "kind", "name"} {
		scaler.at(key).use()
	}
	if scaler.there() {
		scaler.note(Unneeded, "the autoscaler stays on the Deployment (docs/autoscaling.md)")
	}
}

// flaggerAnalysis reads spec.analysis: the steps, the metrics and the webhooks.
func (c *conversion) flaggerAnalysis(a field) {
	every := c.flaggerInterval(a.at("interval"))
	threshold, _ := a.at("threshold").number()
	failures := max(threshold, 1) - 1
	c.flaggerMetrics(a.at("metrics"))
	if slices.ContainsFunc(c.plan.analysis.Metrics, func(m metric) bool { return !m.isBuiltIn() }) {
		c.plan.analysis.FailureLimit = &failures
	} else if len(c.plan.analysis.Metrics) > 0 {
		a.at("threshold").note(Changed, "answers are counted one by one, and evidence decides when the canary failed (docs/analysis.md)")
	}
	iterations, _ := a.at("iterations").number()
	switch {
	case iterations > 0 && a.at("match").there():
		c.flaggerMatch(a.at("match"))
		c.flaggerWait(a.at("iterations"), iterations, every)
	case iterations > 0:
		c.flaggerBlueGreen(a, iterations, every)
	default:
		a.at("match").lost("without iterations Flagger has no use for it either")
		c.flaggerWeights(a, every)
	}
	c.startAtWeight()
	c.flaggerHooks(a.at("webhooks"))
	c.flaggerAnalysisRest(a)
}

// flaggerInterval is the time between two checks: one minute where it is not set, and at least ten seconds.
func (c *conversion) flaggerInterval(f field) time.Duration {
	d, err := time.ParseDuration(f.text())
	if err != nil {
		return time.Minute
	}
	return max(d, 10*time.Second)
}

// flaggerWait waits for so many checks.
func (c *conversion) flaggerWait(f field, times int, every time.Duration) {
	c.step(f, spec.FormatDuration(time.Duration(times)*every))
}

// flaggerWeights are the weights that Flagger sets, each for one interval.
func (c *conversion) flaggerWeights(a field, every time.Duration) {
	step, _ := a.at("stepWeight").number()
	most, _ := a.at("maxWeight").number()
	var weights []int
	for _, item := range a.at("stepWeights").items() {
		if w, ok := item.number(); ok {
			weights = append(weights, w)
		}
	}
	if len(weights) > 0 {
		a.at("maxWeight").unneeded("the last of stepWeights is the highest weight")
		most = weights[len(weights)-1]
	}
	if step > 0 {
		a.at("stepWeights").unneeded("stepWeight is set, so only the last of them counts")
		weights = climbing(step, most)
	}
	if len(weights) == 0 {
		a.note(Changed, "it has neither stepWeight nor stepWeights nor iterations, so each version goes to all users at once")
		c.ownStep("100%")
		return
	}
	c.climb(a, weights, every)
}

// climbing are the multiples of step until most is reached. 0 means 100.
func climbing(step, most int) []int {
	if most <= 0 || most > 100 {
		most = 100
	}
	var weights []int
	for w := 0; w < most; {
		w = min(w+step, 100)
		weights = append(weights, w)
	}
	return weights
}

// maxWeights is how many weights, each with a wait, fit into the steps of a rollout.
const maxWeights = 45

// climb adds the weights. Where there are too many it leaves some out, and waits as long as before.
func (c *conversion) climb(a field, weights []int, every time.Duration) {
	each := (len(weights) + maxWeights - 1) / maxWeights
	if each > 1 {
		a.note(Changed, "a rollout has at most 100 steps, so each step has %d of the weights", each)
	}
	for i, w := range weights {
		if (i+1)%each != 0 && i+1 < len(weights) {
			continue
		}
		if err := c.plan.add(strconv.Itoa(w) + "%"); err != nil {
			a.at("stepWeights").lost("%v", err)
			return
		}
		c.ownStep(spec.FormatDuration(time.Duration(each) * every))
	}
}

// flaggerBlueGreen checks the new version so many times before anybody sees it, and then switches.
func (c *conversion) flaggerBlueGreen(a field, iterations int, every time.Duration) {
	c.plan.strategy = spec.BlueGreen
	c.ownStep("0%")
	c.flaggerWait(a.at("iterations"), iterations, every)
	if slices.ContainsFunc(c.plan.analysis.Metrics, func(m metric) bool { return !m.isBuiltIn() }) {
		c.ownStep("analysis")
		a.at("iterations").note(Changed, "without traffic the queries are measured at the end of the wait, and what counts requests after "+
			"the switch")
	} else if len(c.plan.analysis.Metrics) > 0 {
		a.at("iterations").note(Changed, "without traffic there is nothing to count, so the metrics judge after the switch")
	}
	c.ownStep("100%")
	c.ownStep(spec.FormatDuration(every))
}

// flaggerAnalysisRest names what has no place in Headgate.
func (c *conversion) flaggerAnalysisRest(a field) {
	a.at("stepWeightPromotion").unneeded("the canary's own pods become stable, so no traffic has to go back")
	for _, key := range []string{"mirror", "mirrorWeight"} {
		a.at(key).lost("a canary Ingress cannot copy requests; send a tester's requests to the canary with a header step")
	}
	a.at("alerts").lost("Headgate tells by events, the condition and metrics; it sends no alerts")
	a.at("sessionAffinity").lost("annotate the Ingress with %s/affinity: cookie (docs/routing.md)", nginxPrefix)
	for _, key := range []string{"primaryReadyThreshold", "canaryReadyThreshold"} {
		if n, ok := a.at(key).number(); !ok || n != 100 {
			a.at(key).lost("Headgate waits until all pods are Available")
		}
	}
	if n, ok := a.at("iterations").number(); ok && n > 0 {
		for _, key := range []string{"maxWeight", "stepWeight", "stepWeights"} {
			a.at(key).unneeded("iterations is set")
		}
	}
}
