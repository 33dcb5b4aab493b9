package controller

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// jobs are the Jobs that test the canary.
type jobs struct {
	made []batchv1.Job // of the canary that is there, whatever their step
	next *batchv1.Job  // for the step of now; nil: there is one, or none can be made
}

// observeJobs lists the Jobs of the canary that is there.
func (r *Reconciler) observeJobs(ctx context.Context, s *seen) error {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.InNamespace(s.canary.Namespace), client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}); err != nil {
		return fmt.Errorf("listing the Jobs of Deployment %s/%s: %w", s.canary.Namespace, s.canary.Name, err)
	}
	for i := range list.Items {
		if rollout.Owns(s.canary, &list.Items[i]) {
			s.jobs.made = append(s.jobs.made, list.Items[i])
		}
	}
	return nil
}

// jobStatus looks at the Job of the present step. Where there is none it finds
// out whether one can be made, so that a step which can never be done says so
// instead of waiting.
func (r *Reconciler) jobStatus(ctx context.Context, s *seen, goal rollout.JobGoal) (rollout.JobStatus, error) {
	name := jobName(s.canary.Name, goal.Run)
	for i := range s.jobs.made {
		if s.jobs.made[i].Name == name {
			return statusOf(&s.jobs.made[i]), nil
		}
	}
	// The cache holds only what is labelled as Headgate's, and may be behind what
	// another manager did.
	live := &batchv1.Job{}
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: name}, live); {
	case err == nil && rollout.Owns(s.canary, live):
		return statusOf(live), nil
	case err == nil:
		return unmakable("the Job is to be called %s, and there is another of that name, or one of an earlier canary that is still being deleted: rename or remove it", name), nil
	case !apierrors.IsNotFound(err):
		return rollout.JobStatus{}, err
	}
	return r.prepareJob(ctx, s, goal.Template, name)
}

// prepareJob builds the Job from the CronJob template, and has the API server
// say whether it would take it: a quota or an admission webhook may refuse it
// for as long as it is asked.
func (r *Reconciler) prepareJob(ctx context.Context, s *seen, template, name string) (rollout.JobStatus, error) {
	var cron batchv1.CronJob
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: template}, &cron); {
	case apierrors.IsNotFound(err):
		return unmakable("there is no CronJob %s: create one with suspend: true, of which the Job can be made", template), nil
	case apierrors.IsForbidden(err):
		return unmakable("%v", err), nil // an abort must be heard all the same
	case err != nil:
		return rollout.JobStatus{}, err
	}
	if why := s.unfit(&cron); why != "" {
		return unmakable("%s", why), nil
	}
	address, err := r.canaryAddress(ctx, s)
	if err != nil {
		return rollout.JobStatus{}, err
	}
	job := newJob(s, &cron, name, address)
	// A dry run has no resource version, of which a client that waits for its own
	// writes could be told.
	err = r.Client.Create(ctx, job.DeepCopy(), fieldOwner, client.DryRunAll, client.DisableReadYourWritesConsistency)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return unmakable("%s", settled(err.Error(), s.canary.Name)), nil
	}
	// Other errors are for the write that is meant: a webhook may refuse dry runs.
	s.jobs.next = job
	return rollout.JobStatus{Phase: rollout.JobMissing}, nil
}

func unmakable(format string, args ...any) rollout.JobStatus {
	return rollout.JobStatus{Phase: rollout.JobUnmakable, Message: fmt.Sprintf(format, args...)}
}

// statusOf does not wait for the last pod to end: FailureTarget and
// SuccessCriteriaMet are the same verdict, earlier.
func statusOf(job *batchv1.Job) rollout.JobStatus {
	for _, c := range job.Status.Conditions {
		switch kind := c.Type; {
		case c.Status != corev1.ConditionTrue:
		case kind == batchv1.JobComplete, kind == batchv1.JobSuccessCriteriaMet:
			return rollout.JobStatus{Phase: rollout.JobSucceeded}
		case kind == batchv1.JobFailed, kind == batchv1.JobFailureTarget:
			return rollout.JobStatus{Phase: rollout.JobFailedPhase, Message: failure(job, c)}
		}
	}
	return rollout.JobStatus{Phase: rollout.JobActive}
}

func failure(job *batchv1.Job, c batchv1.JobCondition) string {
	if limit := job.Spec.ActiveDeadlineSeconds; c.Reason == batchv1.JobReasonDeadlineExceeded && limit != nil {
		return fmt.Sprintf("Job %s ran out of time: it was not done after %s", job.Name, time.Duration(*limit)*time.Second)
	}
	return fmt.Sprintf("Job %s failed: %s: %s", job.Name, c.Reason, c.Message)
}

// runJob makes the Job that d wants, and stops those of other steps.
func (r *Reconciler) runJob(ctx context.Context, s *seen, d rollout.Decision) error {
	if err := r.stopJobs(ctx, s, d); err != nil {
		return err
	}
	if d.Job == nil || s.jobs.next == nil {
		return nil
	}
	// A rollout that was aborted by the previous leader must not be tested any
	// more: who knows what a test writes.
	if _, err := r.confirm(ctx, s.canary); err != nil {
		return err
	}
	if err := r.Client.Create(ctx, s.jobs.next, fieldOwner); err != nil {
		return fmt.Errorf("creating Job %s: %w", s.jobs.next.Name, err)
	}
	return nil
}

// stopJobs deletes those that have no purpose any more and are not done: the
// step was skipped, or the rollout is over. Those that are done stay as a record
// until the canary goes, whose dependents they are. A pause stops none.
func (r *Reconciler) stopJobs(ctx context.Context, s *seen, d rollout.Decision) error {
	due := ""
	if d.Canary != nil {
		if goal := d.Canary.State.DueJob(); goal != nil {
			due = jobName(s.canary.Name, goal.Run)
		}
	}
	for i := range s.jobs.made {
		job := &s.jobs.made[i]
		if job.Name == due || job.DeletionTimestamp != nil || statusOf(job).Phase != rollout.JobActive {
			continue
		}
		if _, err := r.confirm(ctx, s.canary); err != nil {
			return err
		}
		err := r.Client.Delete(ctx, job, client.Preconditions{UID: &job.UID}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Job %s: %w", job.Name, err)
		}
	}
	return nil
}
