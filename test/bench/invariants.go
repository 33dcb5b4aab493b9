package bench

import "fmt"

// court looks at the changes of one app in their order and notes each break of an invariant.
type court struct {
	app    app
	images []string // that the user may have given it, in order

	pods    map[string]sight
	ingress sight          // the last of the canary; gone when there is none
	highest map[string]int // weight of each rollout so far
	ended   map[string]bool
	image   map[string]string // of each rollout
	passed  map[string]bool   // images that have had all traffic, or were there at first
	next    int               // in images
	served  bool              // stable has had a ready pod
	broken  []string
}

func newCourt(a app, images []string) *court {
	return &court{
		app: a, images: images, pods: map[string]sight{}, ingress: sight{gone: true}, highest: map[string]int{},
		ended: map[string]bool{}, image: map[string]string{}, passed: map[string]bool{},
	}
}

func (c *court) accuse(s sight, format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf("at resource version %d ", s.version)+fmt.Sprintf(format, args...))
}

func (c *court) look(s sight) {
	switch s.kind {
	case aPod:
		c.lookAtPod(s)
	case aWorkload:
		c.lookAtWorkload(s)
	case aCanaryIngress:
		c.lookAtIngress(s)
	}
}

// lookAtWorkload: nobody but the user writes template and replicas.
func (c *court) lookAtWorkload(s sight) {
	if s.gone {
		return
	}
	if s.scale != c.app.replicas {
		c.accuse(s, "the Deployment has %d replicas, its user wrote %d", s.scale, c.app.replicas)
	}
	for c.next < len(c.images) && c.images[c.next] != s.image {
		c.next++
	}
	if c.next == len(c.images) {
		c.accuse(s, "the template has %s again, or what its user never gave it", s.image)
		c.next = 0
	}
	if s.rollout != "" {
		c.image[s.rollout] = s.image
	}
}

// lookAtIngress: a weight rises only onto pods that are ready, and a route that was taken away
// never comes back in that rollout.
func (c *court) lookAtIngress(s sight) {
	before := c.ingress
	c.ingress = s
	if s.gone {
		if before.weight > 0 && before.weight < 100 {
			c.ended[s.rollout] = true // aborted, failed or replaced
		}
		return
	}
	if s.weight == 0 || s.weight <= before.weight && !before.gone {
		return
	}
	if c.ended[s.rollout] {
		c.accuse(s, "rollout %s has weight %d again after its route was taken away", s.rollout, s.weight)
	}
	// At weight 60 of 2 replicas, 1.2 pods are needed, so 2.
	need := (s.weight*int(c.app.replicas) + 99) / 100
	if ready := c.count(func(p sight) bool { return p.ready && p.rollout == s.rollout }); ready < need {
		c.accuse(s, "rollout %s has weight %d on %d ready pods of %d that it needs", s.rollout, s.weight, ready, need)
	}
	c.highest[s.rollout] = max(c.highest[s.rollout], s.weight)
	if s.weight == 100 {
		c.passed[c.image[s.rollout]] = true
	}
}

// lookAtPod: a canary pod outlives its traffic. What else is checked is about stable.
func (c *court) lookAtPod(s sight) {
	before := c.pods[s.name] // the zero value for a new one
	if s.gone {
		delete(c.pods, s.name)
		if before.rollout != "" && !before.stable && c.hasTraffic(before.rollout) {
			c.accuse(s, "canary pod %s goes while rollout %s has weight %d", s.name, before.rollout, c.ingress.weight)
		}
	} else {
		c.pods[s.name] = s
	}
	c.lookAtStable(s, before.stable)
}

// lookAtStable: stable always has a ready pod, and a template becomes stable only after it has
// had all traffic. was says whether the pod was one of stable before.
func (c *court) lookAtStable(s sight, was bool) {
	is := s.stable && !s.gone
	ready := c.count(func(p sight) bool { return p.ready && p.stable })
	switch {
	case !c.served:
		c.served = ready > 0
		if is {
			c.passed[s.image] = true // the first version
		}
	case ready == 0 && was:
		c.accuse(s, "stable has no ready pod, %s was the last", s.name)
	case is && !was && !c.passed[s.image]:
		c.accuse(s, "pod %s of stable runs %s, which never had all traffic", s.name, s.image)
	}
}

func (c *court) hasTraffic(rollout string) bool {
	return !c.ingress.gone && c.ingress.weight > 0 && c.ingress.rollout == rollout
}

func (c *court) count(is func(sight) bool) (n int) {
	for _, p := range c.pods {
		if is(p) {
			n++
		}
	}
	return n
}
