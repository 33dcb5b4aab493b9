package rollout_test

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/internal/apisim"
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

// scaling is an autoscaler, which follows the load that stable has: a pod takes one pod's worth.
type scaling struct {
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
		end := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}
		w.jobs[i].phase = rollout.JobSucceeded
		if w.jobsFail {
			w.jobs[i].phase = rollout.JobFailedPhase
			end.Type, end.Reason = batchv1.JobFailed, "BackoffLimitExceeded"
			end.Message = "Job has reached the specified backoff limit"
		}
		out := apisim.Get[*batchv1.Job](w.api, namespace, canaryName+"-"+j.run).DeepCopy()
		out.Status.Conditions = []batchv1.JobCondition{end}
		must(w.api.UpdateStatus(out))
		w.say("job", "%s: %s", j.run, w.jobs[i].phase)
		w.oracle.jobs[j.run] = w.jobs[i].phase
	}
}

func (w *world) hasCronJob() bool {
	return apisim.Get[*batchv1.CronJob](w.api, namespace, "smoke") != nil
}

// setCronJob makes the template of the Jobs, or takes it away.
func (w *world) setCronJob(is bool) {
	switch there := w.hasCronJob(); {
	case is && !there:
		must(w.api.Create(cronJob()))
	case !is && there:
		must(w.api.Delete(cronJob()))
	}
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
	if w.scaler.held {
		return max(w.load(), now)
	}
	return w.load()
}

// load is how many pods' worth of traffic stable has.
func (w *world) load() int { return max(1, (w.scaler.demand*(100-max(w.inForce.weight, 0))+99)/100) }

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
	w.scaler = scaling{demand: demand, own: own}
	must(w.api.Create(newScaler(own)))
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

func (w *world) answer(point spec.GatePoint) rollout.GateAnswer {
	a := rollout.GateAnswer{Point: point, Open: !w.closed[point]}
	if !a.Open {
		a.Message = "https://gate.example.com answered 503"
	}
	return a
}

func without(jobs []job, run string) []job {
	return slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return j.run == run })
}
