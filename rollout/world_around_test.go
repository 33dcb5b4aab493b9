package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
		w.endPod(out)
		out.Status.Conditions = []batchv1.JobCondition{end}
		must(w.api.UpdateStatus(out))
		wrote := ""
		if strings.Contains(w.web.steps, scored) {
			wrote = fmt.Sprintf(", wrote %q", w.jobsWrite)
		}
		w.say("job", "%s: %s%s", j.run, w.jobs[i].phase, wrote)
		w.oracle.jobs[j.run], w.oracle.scores[j.run] = w.jobs[i].phase, w.jobsWrite
	}
}

// endPod makes the pod of job as it is when its container has ended. The API server has
// given the Job its selector.
func (w *world) endPod(job *batchv1.Job) {
	of := map[string]string{batchv1.ControllerUidLabel: string(job.UID)}
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: of}
	must(w.api.Update(job))
	pod := &corev1.Pod{ObjectMeta: meta(job.Name + "-pod"), Status: corev1.PodStatus{
		Phase: corev1.PodSucceeded,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: job.Spec.Template.Spec.Containers[0].Name,
			State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{Message: w.jobsWrite + "\n", FinishedAt: metav1.NewTime(w.now)},
			},
		}},
	}}
	pod.Labels = of
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	if w.jobsFail {
		pod.Status.Phase = corev1.PodFailed
	}
	must(w.api.Create(pod))
}

// podOf is the pod of a Job that has ended. nil: it is gone.
func (w *world) podOf(jobName string) *corev1.Pod {
	return apisim.Get[*corev1.Pod](w.api, namespace, jobName+"-pod")
}

// losePodsOfJobs deletes the pods of Jobs that have ended.
func (w *world) losePodsOfJobs() {
	for _, j := range w.jobs {
		if pod := w.podOf(canaryName + "-" + j.run); pod != nil {
			w.say("fate", "deletes the pod of Job %s", j.run)
			must(w.api.Delete(pod))
		}
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
