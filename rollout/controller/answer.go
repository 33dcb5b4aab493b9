package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/headgate/headgate/rollout"
)

// maxAnswers bounds the rounds of questions and answers in one reconcile. A
// decision asks at most twice: for a measurement and a Job, then for gates; or for
// gates, then for the checks before a start.
const maxAnswers = 3

// decide lets package rollout decide, and answers what the decision needs.
func (r *Reconciler) decide(ctx context.Context, s *snapshot) (rollout.Decision, error) {
	for range maxAnswers {
		d := rollout.Next(s.Observation)
		if d.Needs.None() {
			return d, nil
		}
		if err := r.answer(ctx, s, d.Needs); err != nil {
			return rollout.Decision{}, err
		}
		s.Now = r.now() // metrics and gates may have taken seconds
	}
	return rollout.Decision{}, errors.New("the decision asks again for what was answered")
}

// answer puts into the observation what a decision needs. It is the one place
// that asks metrics, Jobs and gates.
func (r *Reconciler) answer(ctx context.Context, s *snapshot, needs rollout.Needs) error {
	if needs.Measurement {
		m := s.analysis.Measure(ctx, s.subject())
		s.Measurement = &m
	}
	if needs.Start {
		if err := r.checkStart(ctx, s); err != nil {
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
		answer := r.Gates.Ask(ctx, s.Spec.Gates, rollout.GateQuestion{
			Before: needs.Gates, Namespace: s.dep.Namespace, Deployment: s.dep.Name, Rollout: s.target.Rollout, Weight: s.Traffic.Weight,
		})
		s.Gate = &answer
	}
	return nil
}
