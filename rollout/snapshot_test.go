package rollout_test

import (
	"slices"
	"strconv"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// object is one of those that are read and written under a lock of their own.
type object int

const (
	stableObject object = iota
	canaryObject
	routeObjects
	jobObjects
	scalerObject
	objects int = iota
)

// snapshot is what a cache may hold: every object with its version.
type snapshot struct {
	at      time.Time
	stable  stableSeen
	canary  canarySeen
	routes  routesSeen
	jobs    []job
	scaler  autoscaler
	version [objects]int
}

type stableSeen struct {
	rollout.Stable
	asked
	message    string
	command    string
	generation int
}

type canarySeen struct {
	exists              bool
	state               string
	template            string
	replicas, available int32
}

type routesSeen struct {
	routes [2]route
	since  time.Time
}

// publish shows the world as it is now, under new versions where it differs, and
// wakes the manager if it does.
func (w *world) publish() {
	was := w.seen
	is := snapshot{
		at: w.now, stable: w.stableSeen(), canary: w.canarySeen(), routes: routesSeen{w.routes, w.since}, jobs: slices.Clone(w.jobs),
		scaler: w.scaler, version: was.version,
	}
	same := true
	for obj, equal := range [objects]bool{
		is.stable == was.stable, is.canary == was.canary, is.routes == was.routes, slices.Equal(is.jobs, was.jobs), is.scaler == was.scaler,
	} {
		if !equal {
			is.version[obj]++
			same = false
		}
	}
	if same {
		return
	}
	if is.canary.replicas > 0 && is.canary.available != was.canary.available {
		w.say("canary", "%d of %d pods Available", is.canary.available, is.canary.replicas)
	}
	if !was.stable.Complete && is.stable.Complete && is.stable.Available > 0 && was.stable.Rolling {
		w.say("stable", "is %s, %d pods Available", is.stable.Template, is.stable.Available)
	}
	w.past = append(w.past, was)
	w.past = w.past[max(0, len(w.past)-3):]
	w.seen = is
	w.manager.dirty = true
}

func (w *world) stableSeen() stableSeen {
	d := w.web
	s := stableSeen{
		Stable: rollout.Stable{
			Name: "web", OptedIn: d.strategy != "", Hold: d.hold, Phase: d.phase, Reason: d.reason,
			Template: d.template, Replicas: int32(d.replicas), Revision: strconv.Itoa(len(d.sets)), RevisionsAgo: d.revisionsAgo(),
		},
		asked: d.asked, message: d.message, command: d.command, generation: d.generation,
	}
	if d.reason == reason.WriteRefused {
		s.Refused, s.RefusedSince = refuserSays, d.refused
	}
	current, others := 0, false
	for _, set := range d.sets {
		s.Available += int32(set.available(w.now))
		s.Runs = s.Runs || len(set.pods) > 0
		if set.template != d.template {
			others = others || len(set.pods) > 0
			continue
		}
		s.TemplateRuns = len(set.pods) > 0
		current = set.available(w.now)
	}
	s.Rolling = !d.paused && others && s.TemplateRuns
	s.Complete = d.observed == d.generation && !d.paused && !others && current == d.replicas
	s.Stalled = d.observed == d.generation && !d.paused && !s.Complete && !d.progress.Add(stallAfter).After(w.now)
	return s
}

// revisionsAgo is the rank of the template among those that ran before the one
// that runs.
func (d deployment) revisionsAgo() int {
	rank, runs := 0, false
	for _, set := range slices.Backward(d.sets) {
		switch {
		case len(set.pods) > 0:
			runs = true
		case runs:
			rank++
		}
		if set.template == d.template {
			if len(set.pods) > 0 {
				return 0
			}
			return rank
		}
	}
	return 0
}

func (w *world) canarySeen() canarySeen {
	if w.canary == nil {
		return canarySeen{}
	}
	set := w.canary.set
	return canarySeen{true, w.canary.state, set.template, int32(len(set.pods)), int32(set.available(w.now))}
}

// look is what the caches hold now. stale says how many versions behind each
// object is there. No cache is more than a few seconds behind for long.
func (w *world) look(stale [objects]int) snapshot {
	s := w.seen
	for obj, back := range stale {
		if back == 0 || back > len(w.past) {
			continue
		}
		old := w.past[len(w.past)-back]
		if old.at.Before(w.now.Add(-3 * time.Second)) {
			continue
		}
		s.version[obj] = old.version[obj]
		switch object(obj) {
		case stableObject:
			s.stable = old.stable
		case canaryObject:
			s.canary = old.canary
		case routeObjects:
			s.routes = old.routes
		case jobObjects:
			s.jobs = old.jobs
		case scalerObject:
			s.scaler = old.scaler
		}
	}
	return s
}
