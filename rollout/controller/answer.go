package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// maxAnswers bounds the rounds of questions and answers in one reconcile. A
// decision asks at most three times: for a measurement and a Job, then for gates, then
// for the check before an adoption; or for gates, then for the checks before a start.
const maxAnswers = 4

// startQuestions lets measurements and gates be asked beside the workers, and queues a
// Deployment once its question is answered.
func (r *Reconciler) startQuestions(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	r.measurements.useless = func(m rollout.Measurement) bool { return m.Verdict == rollout.Error }
	r.measurements.instead = func(why string) rollout.Measurement {
		return rollout.Measurement{Verdict: rollout.Error, Message: why}
	}
	r.gateAnswers.useless = func(a rollout.GateAnswer) bool { return !a.Open }
	r.gateAnswers.instead = func(why string) rollout.GateAnswer { return rollout.GateAnswer{Message: why} }
	r.measurements.start(ctx, queue)
	r.gateAnswers.start(ctx, queue)
	return nil
}

// decide lets package rollout decide, and answers what the decision needs. What takes
// long is asked beside the workers: meanwhile the decision is made without it.
func (r *Reconciler) decide(ctx context.Context, s *snapshot) (rollout.Decision, error) {
	for range maxAnswers {
		d := r.next(s.Observation)
		if d.Needs.None() {
			r.forgetUnawaited(client.ObjectKeyFromObject(s.dep), s.Awaited)
			return d, nil
		}
		if err := r.answer(ctx, s, d.Needs); err != nil {
			return rollout.Decision{}, err
		}
		r.look(ctx, s) // the answer may have taken a while
		s.Observation = s.OnOneClock()
	}
	return rollout.Decision{}, errors.New("the decision asks again for what was answered")
}

// forgetUnawaited drops the questions about a Deployment that no decision awaits: the
// rollout was aborted, or the weight is another one.
func (r *Reconciler) forgetUnawaited(deployment types.NamespacedName, awaited rollout.Needs) {
	if !awaited.Measurement {
		r.measurements.forget(deployment)
	}
	if awaited.Gates == "" {
		r.gateAnswers.forget(deployment)
	}
}

func (r *Reconciler) next(o rollout.Observation) rollout.Decision {
	if r.Next != nil {
		return r.Next(o)
	}
	return rollout.Next(o)
}

// answer puts into the observation what a decision needs. It is the one place
// that asks metrics, Jobs and gates.
func (r *Reconciler) answer(ctx context.Context, s *snapshot, needs rollout.Needs) error {
	if needs.Measurement {
		if err := r.measure(ctx, s); err != nil {
			return err
		}
	}
	if needs.Start {
		if err := r.checkStart(ctx, s); err != nil {
			return err
		}
	}
	if needs.Adoption {
		if err := r.checkAdoption(ctx, s); err != nil {
			return err
		}
	}
	if needs.Job != nil {
		status, err := r.findJob(ctx, s, *needs.Job)
		if err != nil {
			return fmt.Errorf("looking for the Job of CronJob %s/%s: %w", s.dep.Namespace, needs.Job.Template, err)
		}
		status.Run = needs.Job.Run
		s.Job = &status
	}
	if needs.Gates != "" {
		r.askGates(ctx, s, rollout.GateQuestion{
			Before: needs.Gates, Namespace: s.dep.Namespace, Deployment: s.dep.Name, Rollout: s.target.Rollout, Weight: s.Traffic.Weight,
		})
	}
	return nil
}

// measure takes a measurement. One that was begun in another state, or before the
// routes last changed, is of another weight.
func (r *Reconciler) measure(ctx context.Context, s *snapshot) error {
	sets, err := r.replicaSetsOf(ctx, s.canaryDep)
	if err != nil {
		return err
	}
	analysis, subject := s.analysis, s.subject()
	if i := slices.IndexFunc(sets, func(rs appsv1.ReplicaSet) bool { return hasPods(&rs) }); i >= 0 {
		subject.CanaryReplicaSet = sets[i].Name
	}
	text := fmt.Sprint(subject, rulesOf(analysis), s.canaryDep.UID, s.Canary.State, s.Traffic.Since)
	m, answered := r.measurements.get(ctx, client.ObjectKeyFromObject(s.dep), text, func(ctx context.Context) rollout.Measurement {
		return analysis.Measure(ctx, subject)
	})
	if s.Awaited.Measurement = !answered; answered {
		s.Measurement = &m
	}
	return nil
}

// askGates asks the gates of the point of q.
func (r *Reconciler) askGates(ctx context.Context, s *snapshot, q rollout.GateQuestion) {
	gates := slices.Clone(s.Spec.Gates)
	text := fmt.Sprint(q, gates)
	answer, answered := r.gateAnswers.get(ctx, client.ObjectKeyFromObject(s.dep), text, func(ctx context.Context) rollout.GateAnswer {
		return r.Gates.Ask(ctx, gates, q)
	})
	if !answered {
		s.Awaited.Gates = q.Before
		return
	}
	answer.Point = q.Before
	s.Gate = &answer
}
