package rollout_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
)

// object is one of those that are read and written under a lock of their own.
type object int

const (
	stableObject object = iota
	canaryObject
	routeObjects
	jobObjects
	scalerObject
	serviceObjects
	podObjects     // and ReplicaSets: those of an adoption
	objects    int = iota
)

// snapshot is what a cache may hold: every object with its version.
type snapshot struct {
	stable  stableSeen
	canary  canarySeen
	routes  [2]route
	jobs    []job
	scaler  scaling
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

// publish shows the world as it is now, under new versions where it differs, and
// wakes the manager if it does.
func (w *world) publish() {
	w.publishObjects()
	was := w.seen
	is := snapshot{
		stable: w.stableSeen(), canary: w.canarySeen(), routes: w.routes, jobs: slices.Clone(w.jobs),
		scaler: w.scaler, version: was.version,
	}
	same := true
	for obj, equal := range [objects]bool{
		is.stable == was.stable, is.canary == was.canary, is.routes == was.routes, slices.Equal(is.jobs, was.jobs), is.scaler == was.scaler,
		true, true,
	} {
		if !equal {
			is.version[obj]++
			same = false
		}
	}
	if same {
		return
	}
	fewer := w.adopting != nil && is.canary.replicas < was.canary.replicas // that is not news to anybody
	if is.canary.replicas > 0 && is.canary.available != was.canary.available && !fewer {
		w.say("canary", "%d of %d pods Available", is.canary.available, is.canary.replicas)
	}
	if !was.stable.Complete && is.stable.Complete && is.stable.Available > 0 && was.stable.Rolling {
		w.say("stable", "is %s, %d pods Available", is.stable.Template, is.stable.Available)
	}
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
	s.Stalled = d.stalled(w.now)
	s.Complete = d.observed == d.generation && !d.paused && !others && current == d.replicas
	return s
}

// stalled says whether the Deployment controller reports that a rolling update does
// not go on.
func (d deployment) stalled(now time.Time) bool {
	complete := true
	for _, s := range d.sets {
		want := 0
		if s.template == d.template {
			want = d.replicas
		}
		complete = complete && len(s.pods) == want && s.available(now) == want
	}
	return d.observed == d.generation && !d.paused && !complete && !d.progress.Add(stallAfter).After(now)
}

// revisionsAgo counts versions by their first revisions, as the rollback window does: a
// version that is promoted again is as old as it was. Kubernetes gives an old ReplicaSet
// a new revision as soon as its template is wanted, held or not.
func (d deployment) revisionsAgo() int {
	wanted, running := 0, 0
	for _, set := range d.sets {
		if set.template == d.template {
			wanted = set.firstRevision()
		}
		if len(set.pods) > 0 {
			running = max(running, set.firstRevision())
		}
	}
	ago := 0
	for _, set := range d.sets {
		if first := set.firstRevision(); wanted > 0 && wanted <= first && first < running {
			ago++
		}
	}
	return ago
}

func (s replicaSet) firstRevision() int {
	head, _, _ := strings.Cut(s.history, ",")
	if first, err := strconv.Atoi(head); err == nil {
		return first
	}
	return s.revision
}

func (w *world) canarySeen() canarySeen {
	if w.canary == nil {
		return canarySeen{}
	}
	set := w.canary.set
	return canarySeen{true, w.canary.state, set.template, int32(len(set.pods)), int32(set.available(w.now))}
}
