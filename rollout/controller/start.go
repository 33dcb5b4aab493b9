package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// startCheckInterval is how long a problem that checkStart found is believed. Nothing
// watches pods and PersistentVolumeClaims, so their absence is noticed after this time.
const startCheckInterval = time.Minute

// checkStart finds out what the API server alone knows and what only matters before a
// canary starts: problems, which prevent it, and gaps, which a person should know. It
// is called when nothing else is in the way, so that a Deployment that rests, waits or
// is rolled back costs no list of pods, ReplicaSets or policies.
//
// A problem is believed for startCheckInterval, as long as the Deployment and the
// Services that select its pods stay the same. A Deployment that is blocked by a pod
// costs one list in that time, however often it is looked at.
func (r *Reconciler) checkStart(ctx context.Context, s *snapshot) error {
	key := client.ObjectKeyFromObject(s.dep)
	if found, ok := r.startChecks.recall(key, s); ok {
		s.Start, s.startCheckAt = &rollout.StartCheck{Problem: found.problem}, found.until
		return nil
	}
	found, err := r.findStartProblem(ctx, s)
	if err != nil {
		return fmt.Errorf("checking whether a canary of Deployment %s can start: %w", key, err)
	}
	s.Start = &rollout.StartCheck{Problem: found}
	if found != nil {
		s.startCheckAt = s.Now.Add(startCheckInterval)
		r.startChecks.remember(key, s)
		return nil //nolint:nilerr // a Problem is an answer here, and no failure
	}
	r.startChecks.forget(key)
	return r.observeGaps(ctx, s)
}

// findStartProblem returns the first problem that keeps a canary from starting. nil:
// there is none.
func (r *Reconciler) findStartProblem(ctx context.Context, s *snapshot) (*rollout.Problem, error) {
	if problem, err := r.Router.CheckPods(ctx, s.target); problem != nil || err != nil {
		return problem, err
	}
	return r.findVolumeConflict(ctx, s)
}

// observeGaps finds what a person should know before a canary starts.
func (r *Reconciler) observeGaps(ctx context.Context, s *snapshot) error {
	s.observeHostPorts()
	if err := r.observePolicies(ctx, s); err != nil {
		return err
	}
	return r.observeScaleDown(ctx, s)
}

// startChecks remembers problems of checkStart. A restart costs one check.
type startChecks struct{ perDeployment[startProblem] }

// startProblem is a problem, what it was found about, and until when it is believed.
type startProblem struct {
	problem *rollout.Problem
	about   string
	until   time.Time
}

func (c *startChecks) recall(key types.NamespacedName, s *snapshot) (startProblem, bool) {
	found, ok := c.get(key)
	return found, ok && found.about == s.subjectOfStart() && found.until.After(s.Now)
}

func (c *startChecks) remember(key types.NamespacedName, s *snapshot) {
	c.set(key, startProblem{s.Start.Problem, s.subjectOfStart(), s.startCheckAt})
}

// subjectOfStart changes whenever somebody may have corrected what checkStart found: a
// write to the Deployment, or to the selector of a Service.
func (s *snapshot) subjectOfStart() string {
	return fmt.Sprint(s.dep.UID, s.dep.Generation, s.Traffic.Services, s.Traffic.Selectors)
}
