package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// jobTakes is how long a Job runs.
const jobTakes = 20 * time.Second

// job is one that Headgate made of the CronJob smoke.
type job struct {
	run   string
	phase rollout.JobPhase
	ends  time.Time
}

// autoscaler follows the load that stable has: a pod takes one pod's worth.
type autoscaler struct {
	demand int  // pods' worth of traffic; 0: there is no autoscaler
	own    bool // the user said how it may shrink stable, so Headgate leaves it alone
	held   bool // it may not, for now
	acted  time.Time
}

// runJobs ends those whose time has come.
func (w *world) runJobs() {
	for i, j := range w.jobs {
		if j.phase != rollout.JobActive || j.ends.After(w.now) {
			continue
		}
		w.jobs[i].phase = rollout.JobSucceeded
		if w.jobsFail {
			w.jobs[i].phase = rollout.JobFailedPhase
		}
		w.say("job", "%s: %s", j.run, w.jobs[i].phase)
		w.oracle.jobs[j.run] = w.jobs[i].phase
	}
}

// jobStatus is what is known of due.
func (w *world) jobStatus(s snapshot, due *rollout.JobGoal) *rollout.JobStatus {
	if due == nil {
		return nil
	}
	for _, j := range s.jobs {
		if j.run == due.Run {
			return &rollout.JobStatus{Run: j.run, Phase: j.phase, Message: "Job web-canary-" + j.run + " failed: BackoffLimitExceeded"}
		}
	}
	if w.noCronJob {
		return &rollout.JobStatus{Run: due.Run, Phase: rollout.JobUnmakable, Message: "there is no CronJob " + due.Template}
	}
	return &rollout.JobStatus{Run: due.Run, Phase: rollout.JobMissing}
}

// scaleAt is when the autoscaler acts. Zero: it has no reason to.
func (w *world) scaleAt() time.Time {
	if w.wantedReplicas() == w.web.replicas {
		return time.Time{}
	}
	return w.scaler.acted.Add(15 * time.Second)
}

func (w *world) wantedReplicas() int {
	now := w.web.replicas
	if w.scaler.demand == 0 || now == 0 { // scaled to 0 by hand: as autoscalers do, it stays out of it
		return now
	}
	want := max(1, (w.scaler.demand*(100-max(w.inForce.weight, 0))+99)/100)
	if w.scaler.held {
		return max(want, now)
	}
	return want
}

func (w *world) autoscale() {
	at, want := w.scaleAt(), w.wantedReplicas()
	if at.IsZero() || at.After(w.now) {
		return
	}
	w.say("autoscaler", "scales to %d", want)
	w.web.replicas, w.scaler.acted = want, w.now
	w.changed()
}

// autoscaled gives the Deployment an autoscaler that has been there for a while.
func (w *world) autoscaled(demand int, own bool) {
	w.scaler = autoscaler{demand: demand, own: own}
	w.web.replicas = demand
	w.changed()
}

// demand is another load on the whole Deployment.
func (w *world) demand(pods int) {
	if w.scaler.demand > 0 {
		w.say("fate", "brings %d pods' worth of requests", pods)
		w.scaler.demand = pods
		w.publish()
	}
}

const gatesEverywhere = "start https://gate.example.com, rise https://gate.example.com, promotion https://gate.example.com"

// hasGate says whether the user wants to be asked at point.
func (w *world) hasGate(point spec.GatePoint) bool {
	return strings.Contains(w.web.gates, string(point))
}

// openOrClose is a gate that changes its mind.
func (w *world) openOrClose(point spec.GatePoint) {
	w.closed[point] = !w.closed[point]
	does := "opens"
	if w.closed[point] {
		does = "closes"
	}
	w.say("gate", "%s before %s", does, point)
}

func (w *world) answer(point spec.GatePoint) *rollout.GateAnswer {
	a := rollout.GateAnswer{Point: point, Open: !w.closed[point]}
	if !a.Open {
		a.Message = "https://gate.example.com answered 503"
	}
	return &a
}

// runJob ends Jobs that have no purpose any more, and makes the one that has.
func (p *pass) runJob() bool {
	goal := p.d.Job
	for _, j := range p.seen.jobs {
		if j.phase == rollout.JobActive && (goal == nil || j.run != goal.Run) && !p.setJobs("deletes Job "+j.run, without(p.w.jobs, j.run)) {
			return false
		}
	}
	is := func(j job) bool { return j.run == goal.Run }
	if goal == nil || slices.ContainsFunc(p.seen.jobs, is) {
		return true
	}
	made := job{goal.Run, rollout.JobActive, p.w.now.Add(jobTakes)}
	return p.setJobs(fmt.Sprintf("runs Job %s of CronJob %s", goal.Run, goal.Template), append(slices.Clone(p.w.jobs), made))
}

func (p *pass) setJobs(what string, jobs []job) bool {
	return p.write(jobObjects, what, func() { p.w.jobs = jobs })
}

func without(jobs []job, run string) []job {
	return slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return j.run == run })
}

func (p *pass) holdScaleDown() bool {
	s := p.seen.scaler
	if !p.d.HoldScaleDown || s.demand == 0 || s.own || s.held {
		return true
	}
	return p.write(scalerObject, "lets no autoscaler shrink stable", func() { p.w.scaler.held = true })
}

func (p *pass) freeScaleDown() bool {
	if p.d.HoldScaleDown || !p.seen.scaler.held {
		return true
	}
	return p.write(scalerObject, "lets the autoscaler shrink stable again", func() { p.w.scaler.held = false })
}
