package rollout_test

import (
	"fmt"
	"strings"
	"time"
)

// die makes n pods unavailable until then, the Available ones first.
func (s *replicaSet) die(n int, until time.Time) {
	pods := make([]time.Time, len(s.pods))
	for i, ready := range s.pods {
		if n > 0 && ready.Before(until) {
			n--
			ready = until
		}
		pods[i] = ready
	}
	s.pods = pods
}

func (s replicaSet) available(now time.Time) int {
	n := 0
	for _, ready := range s.pods {
		if !ready.After(now) {
			n++
		}
	}
	return n
}

// resize starts pods, or ends some, those that are not Available first.
func (w *world) resize(s *replicaSet, want int) bool {
	if len(s.pods) == want {
		return false
	}
	pods := append([]time.Time(nil), s.pods...)
	for len(pods) > want {
		last := 0
		for i, ready := range pods {
			if ready.After(pods[last]) {
				last = i
			}
		}
		pods = append(pods[:last], pods[last+1:]...)
	}
	for len(pods) < want {
		ready := w.now.Add(startup)
		if w.broken[s.template] {
			ready = never
		}
		pods = append(pods, ready)
	}
	s.pods = pods
	return true
}

// control is the Deployment controller: at most one pod more or less at a time.
func (w *world) control() (acted bool) {
	d := &w.web
	acted = d.observed != d.generation
	d.observed = d.generation
	d.reviseTemplate()
	if d.paused {
		return w.scalePaused() || acted
	}
	return w.rollingUpdate() || acted
}

// scalePaused resizes what runs: a paused Deployment creates no ReplicaSet.
func (w *world) scalePaused() bool {
	d := &w.web
	if len(d.sets) == 0 {
		return false
	}
	if w.isSaturated() {
		return w.endOthers()
	}
	biggest, total := len(d.sets)-1, 0
	for i, s := range d.sets {
		total += len(s.pods)
		if len(s.pods) > len(d.sets[biggest].pods) {
			biggest = i
		}
	}
	set := &d.sets[biggest]
	return w.resize(set, max(0, len(set.pods)+d.replicas-total))
}

// isSaturated says whether the first ReplicaSet of the template, which is the new one,
// has every pod that the Deployment wants, all Available.
func (w *world) isSaturated() bool {
	for _, s := range w.web.sets {
		if s.template == w.web.template {
			return len(s.pods) == w.web.replicas && s.available(w.now) == w.web.replicas && w.web.replicas > 0
		}
	}
	return false
}

// endOthers ends the pods of every old ReplicaSet at once.
func (w *world) endOthers() (acted bool) {
	for i := range w.web.sets {
		if s := &w.web.sets[i]; s.template != w.web.template && len(s.pods) > 0 {
			w.say("stable", "all %d pods of %s go", len(s.pods), s.template)
			s.pods = nil
			acted = true
		}
	}
	return acted
}

// rollingUpdate takes one step of a rolling update with a quarter of surge and a
// quarter unavailable.
func (w *world) rollingUpdate() bool {
	d := &w.web
	current := w.currentSet()
	total, available := 0, 0
	for _, s := range d.sets {
		total += len(s.pods)
		available += s.available(w.now)
	}
	old := total - len(current.pods)
	surge, missing := (d.replicas+3)/4, d.replicas/4
	switch {
	case old == 0 || len(current.pods) > d.replicas:
		return w.resize(current, d.replicas)
	case len(current.pods) < d.replicas && total < d.replicas+surge:
		return w.resize(current, len(current.pods)+1)
	}
	for i := range d.sets {
		s := &d.sets[i]
		if s == current || len(s.pods) == 0 {
			continue
		}
		if len(s.pods) > s.available(w.now) || available > d.replicas-missing {
			return w.resize(s, len(s.pods)-1)
		}
	}
	return false
}

// currentSet is the ReplicaSet of the template, which is now the newest.
func (w *world) currentSet() *replicaSet {
	d := &w.web
	for i, s := range d.sets {
		if s.template == d.template {
			d.sets = append(append(d.sets[:i:i], d.sets[i+1:]...), s)
			return &d.sets[len(d.sets)-1]
		}
	}
	w.say("stable", "rolling update to %s begins", d.template)
	d.sets = append(d.sets, replicaSet{template: d.template, revision: d.latestRevision() + 1})
	return &d.sets[len(d.sets)-1]
}

func (d *deployment) latestRevision() int {
	latest := 0
	for _, s := range d.sets {
		latest = max(latest, s.revision)
	}
	return latest
}

// reviseTemplate gives the ReplicaSet of the template the latest revision, held or
// not, as the Deployment controller does.
func (d *deployment) reviseTemplate() {
	latest := d.latestRevision()
	for i := range d.sets {
		s := &d.sets[i]
		if s.template == d.template && s.revision < latest {
			s.history = strings.TrimPrefix(fmt.Sprintf("%s,%d", s.history, s.revision), ",")
			s.revision = latest + 1
		}
	}
}
