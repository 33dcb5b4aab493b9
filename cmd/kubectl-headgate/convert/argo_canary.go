package convert

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nginxPrefix is the prefix of the annotations that a canary Ingress has.
const nginxPrefix = "nginx.ingress.kubernetes.io"

// argoCanary reads spec.strategy.canary. update becomes the rolling update of the Deployment.
func (c *conversion) argoCanary(f field, update *yaml.Node) {
	c.rollingUpdate(f, update)
	c.service(f.at("stableService"))
	f.at("canaryService").unneeded("Headgate makes the Service of the canary and deletes it")
	whole := c.argoRouting(f.at("trafficRouting"))
	if !f.at("trafficRouting").there() {
		f.note(Changed, "weights were approximated by numbers of pods; Headgate splits requests, so the Deployment needs a Service and "+
			"an Ingress to it: without them no rollout begins (NoService, NoIngress)")
	}
	if n, ok := f.at("minPodsPerReplicaSet").number(); ok && n > 1 {
		c.step(f.at("minPodsPerReplicaSet"), "scale="+strconv.Itoa(n))
	}
	a := analyses{c: c}
	background := f.at("analysis")
	startingStep, _ := background.at("startingStep").number()
	steps := f.at("steps").items()
	for i, s := range steps {
		if background.there() && i == startingStep {
			a.begin(background, true)
		}
		c.argoStep(s, whole, &a)
	}
	if background.there() && startingStep >= len(steps) {
		a.begin(background, true)
	}
	if len(steps) == 0 {
		f.at("steps").use()
		c.ownStep("100%")
	}
	if len(f.entries()) == 0 {
		f.use()
	}
	c.startAtWeight()
	c.argoCanaryRest(f)
}

// rollingUpdate carries over how many pods a rolling update may start and stop at once. A Deployment refuses 0 of both.
func (c *conversion) rollingUpdate(f field, update *yaml.Node) {
	surge, unavailable := f.at("maxSurge"), f.at("maxUnavailable")
	put(update, "maxSurge", surge.copied())
	put(update, "maxUnavailable", unavailable.copied())
	zero := func(text string) bool { return text == "0" || text == "0%" }
	if zero(surge.text()) && zero(unavailable.text()) {
		unavailable.changed("Kubernetes allows no rolling update with maxSurge 0 and maxUnavailable 0; maxUnavailable is 1")
		put(update, "maxUnavailable", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "1"})
	}
}

// argoRouting reads trafficRouting. It returns how much weight is all the traffic.
func (c *conversion) argoRouting(f field) (whole int) {
	whole = 100
	if n, ok := f.at("maxTrafficWeight").number(); ok && n > 0 {
		whole = n
	}
	f.at("managedRoutes").unneeded("the canary Ingress has the header rule")
	nginx := f.at("nginx")
	c.ingress(nginx.at("stableIngress"))
	for _, item := range nginx.at("stableIngresses").items() {
		c.ingress(item)
	}
	prefix := nginx.at("annotationPrefix")
	if p := prefix.text(); p != "" && p != nginxPrefix {
		prefix.lost("Headgate writes the annotations of %s", nginxPrefix)
	}
	c.staticRules(nginx.at("additionalIngressAnnotations"))
	c.staticRules(nginx.at("canaryIngressAnnotations"))
	for _, e := range f.entries() {
		if e.key != "nginx" && e.unread() {
			e.lost("Headgate splits traffic by a canary Ingress that ingress-nginx or Traefik read")
		}
	}
	if f.there() && !nginx.there() {
		f.changed("the Deployment needs an Ingress to its Service: without one no rollout begins (NoIngress)")
	}
	return whole
}

// staticRules turns annotations that send some requests to the canary for the whole rollout into steps.
func (c *conversion) staticRules(f field) {
	byName := map[string]field{}
	for _, e := range f.entries() {
		name := e.key[strings.LastIndex(e.key, "/")+1:]
		switch name {
		case "canary-by-header", "canary-by-header-value", "canary-by-header-pattern", "canary-by-cookie":
			byName[name] = e.field
			e.use()
		}
	}
	if header, ok := byName["canary-by-header"]; ok {
		word := "header=" + header.text()
		if value, ok := byName["canary-by-header-value"]; ok {
			word += ":" + value.text()
		} else if pattern, ok := byName["canary-by-header-pattern"]; ok {
			word += "~" + pattern.text()
		}
		c.step(header, word)
	}
	if cookie, ok := byName["canary-by-cookie"]; ok {
		c.step(cookie, "cookie="+cookie.text())
	}
	for _, e := range f.entries() {
		if e.unread() {
			e.lost("Headgate copies from the stable Ingress what routers read on a canary Ingress (docs/routing.md)")
		}
	}
}

// argoStep reads one step. The parser of Headgate reads the form of Argo Rollouts, except an analysis.
func (c *conversion) argoStep(s field, whole int, a *analyses) {
	if inline := s.at("analysis"); inline.there() && len(s.entries()) == 1 {
		a.begin(inline, false)
		return
	}
	if s.node.Kind != yaml.MappingNode || s.at("analysis").node != nil {
		s.lost("a step is an object with one field") // the parser of Headgate also reads the word analysis alone
		return
	}
	if n, ok := s.at("setWeight").number(); ok {
		if whole != 100 {
			if n*100%whole != 0 {
				s.at("setWeight").changed("%d of %d is no whole percentage, so it is rounded", n, whole)
			}
			n = n * 100 / whole
		}
		c.step(s.at("setWeight"), strconv.Itoa(n)+"%")
		return
	}
	if isZero(s.at("pause", "duration")) {
		s.use() // no wait at all
		return
	}
	if c.step(s, "- "+jsonOf(s.node)) && s.at("setCanaryScale").there() && !s.at("setCanaryScale", "matchTrafficWeight").truth() {
		s.changed("it is a minimum: a canary has never fewer pods than its weight needs")
	}
}

// isZero says whether f is a time of 0, e.g. 0 or 0s.
func isZero(f field) bool {
	return f.there() && f.node.Value != "" && strings.Trim(f.node.Value, "0smh") == ""
}

// jsonOf is n on one line.
func jsonOf(n *yaml.Node) string {
	var v any
	if n.Decode(&v) != nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// argoCanaryRest names what has no place in Headgate.
func (c *conversion) argoCanaryRest(f field) {
	if f.at("dynamicStableScale").truth() {
		f.at("dynamicStableScale").lost("stable keeps all its pods until the promotion, so that a rollback is one write")
	}
	f.at("scaleDownDelaySeconds").lost(drain)
	argoCommonRest(f)
	f.at("pingPong").lost("Headgate makes the Service of the canary and deletes it; name your Service with headgate.dev/service")
	for _, key := range []string{"canaryMetadata", "stableMetadata"} {
		f.at(key).lost("Headgate labels canary pods itself; the track label tells them from stable pods")
	}
}

const drain = "pods end after the drain time that the operator sets (HEADGATE_DRAIN)"

// argoCommonRest is what canary and blueGreen have in common.
func argoCommonRest(f field) {
	f.at("scaleDownDelayRevisionLimit").lost(drain)
	f.at("abortScaleDownDelaySeconds").lost("after a rollback " + drain)
	f.at("antiAffinity").lost("write an affinity into the pod template; Headgate does not change what users write there")
}
