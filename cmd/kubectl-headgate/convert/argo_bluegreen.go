package convert

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/headgate/headgate/rollout/spec"
)

// argoDelay is how long Argo Rollouts keeps the old pods after the switch, in seconds.
const argoDelay = 30

// argoBlueGreen reads spec.strategy.blueGreen:
//
//	[scale=N] 0% [analysis] [pause or a wait] 100% [analysis] a wait
func (c *conversion) argoBlueGreen(f field, update *yaml.Node) {
	c.plan.strategy = spec.BlueGreen
	c.rollingUpdate(f, update)
	c.service(f.at("activeService"))
	f.at("previewService").changed("Headgate makes the Service %s-canary for the new version; headgate.dev/preview-host gives it a host",
		f.at("activeService").text())
	if n, ok := f.at("previewReplicaCount").number(); ok {
		c.step(f.at("previewReplicaCount"), "scale="+strconv.Itoa(n))
	}
	a := analyses{c: c}
	c.ownStep("0%")
	if before := f.at("prePromotionAnalysis"); before.there() {
		a.begin(before, false)
	}
	c.argoAutoPromotion(f)
	c.ownStep("100%")
	if after := f.at("postPromotionAnalysis"); after.there() {
		a.begin(after, false)
	}
	c.argoBlueGreenEnd(f)
	for _, key := range []string{"previewMetadata", "activeMetadata"} {
		f.at(key).lost("Headgate labels canary pods itself; the track label tells them from stable pods")
	}
	argoCommonRest(f)
}

// argoAutoPromotion is the wait before the switch: for a person, or for a time.
func (c *conversion) argoAutoPromotion(f field) {
	auto, after := f.at("autoPromotionEnabled"), f.at("autoPromotionSeconds")
	n, _ := after.number()
	switch {
	case auto.there() && !auto.truth():
		c.ownStep("pause")
		if n > 0 {
			after.unneeded("with autoPromotionEnabled: false a person decides")
		}
	case n > 0:
		c.step(after, strconv.Itoa(n)+"s")
	}
}

// argoBlueGreenEnd is how long the way back is one write.
func (c *conversion) argoBlueGreenEnd(f field) {
	delay := f.at("scaleDownDelaySeconds")
	n, ok := delay.number()
	if !ok {
		n = argoDelay
	}
	if n > 0 {
		c.step(delay, strconv.Itoa(n)+"s")
	}
}
