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

// canaryJobs are the Jobs that test the canary.
type canaryJobs struct {
	existing []batchv1.Job // of the canary that is there, whatever their step
	toCreate *batchv1.Job  // for the step of now; nil: there is one, or none can be made
}

// observeJob looks at the Job of the present step. Where there is none it finds
// out whether one can be made, so that a step which can never be done says so
// instead of waiting.
func (r *Reconciler) observeJob(ctx context.Context, s *snapshot) error {
	var list batchv1.JobList
	if err := r.Client.List(ctx, &list, client.InNamespace(s.canaryDep.Namespace), client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy}); err != nil {
		return fmt.Errorf("listing the Jobs of Deployment %s/%s: %w", s.canaryDep.Namespace, s.canaryDep.Name, err)
	}
	for i := range list.Items {
		if rollout.Owns(s.canaryDep, &list.Items[i]) {
			s.canaryJobs.existing = append(s.canaryJobs.existing, list.Items[i])
		}
	}
	goal := s.JobDue()
	if goal == nil {
		return nil
	}
	status, err := r.findJob(ctx, s, *goal)
	if err != nil {
		return fmt.Errorf("looking for the Job of CronJob %s/%s: %w", s.dep.Namespace, goal.Template, err)
	}
	status.Run = goal.Run
	s.Job = &status
	return nil
}

func (r *Reconciler) findJob(ctx context.Context, s *snapshot, goal rollout.JobGoal) (rollout.JobStatus, error) {
	name := jobName(s.canaryDep.Name, goal.Run)
	for i := range s.canaryJobs.existing {
		if s.canaryJobs.existing[i].Name == name {
			return statusFromConditions(&s.canaryJobs.existing[i]), nil
		}
	}
	// The cache holds only what is labelled as Headgate's, and may be behind what
	// another manager did.
	live := &batchv1.Job{}
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: name}, live); {
	case err == nil && rollout.Owns(s.canaryDep, live):
		return statusFromConditions(live), nil
	case err == nil:
		return cannotCreate("the Job is to be called %s, and there is another of that name, or one of an earlier canary that is still being deleted: rename or remove it", name), nil
	case !apierrors.IsNotFound(err):
		return rollout.JobStatus{}, err
	}
	return r.prepareJob(ctx, s, goal.Template, name)
}

// prepareJob builds the Job from the CronJob template, and has the API server
// say whether it would take it: a quota or an admission webhook may refuse it
// for as long as it is asked.
func (r *Reconciler) prepareJob(ctx context.Context, s *snapshot, template, name string) (rollout.JobStatus, error) {
	var cron batchv1.CronJob
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: template}, &cron); {
	case apierrors.IsNotFound(err):
		return cannotCreate("there is no CronJob %s: create one with suspend: true, of which the Job can be made", template), nil
	case apierrors.IsForbidden(err):
		return cannotCreate("%v", err), nil // an abort must be heard all the same
	case err != nil:
		return rollout.JobStatus{}, err
	}
	if why := s.cronJobProblem(&cron); why != "" {
		return cannotCreate("%s", why), nil
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
		return cannotCreate("%s", normalizeMessage(err.Error(), s.canaryDep.Name)), nil
	}
	// Other errors are for the write that is meant: a webhook may refuse dry runs.
	s.canaryJobs.toCreate = job
	return rollout.JobStatus{Phase: rollout.JobMissing}, nil
}

func cannotCreate(format string, args ...any) rollout.JobStatus {
	return rollout.JobStatus{Phase: rollout.JobUnmakable, Message: fmt.Sprintf(format, args...)}
}

// statusFromConditions does not wait for the last pod to end: FailureTarget and
// SuccessCriteriaMet are the same verdict, earlier.
func statusFromConditions(job *batchv1.Job) rollout.JobStatus {
	for _, c := range job.Status.Conditions {
		switch kind := c.Type; {
		case c.Status != corev1.ConditionTrue:
		case kind == batchv1.JobComplete, kind == batchv1.JobSuccessCriteriaMet:
			return rollout.JobStatus{Phase: rollout.JobSucceeded}
		case kind == batchv1.JobFailed, kind == batchv1.JobFailureTarget:
			return rollout.JobStatus{Phase: rollout.JobFailedPhase, Message: failureMessage(job, c)}
		}
	}
	return rollout.JobStatus{Phase: rollout.JobActive}
}

func failureMessage(job *batchv1.Job, c batchv1.JobCondition) string {
	if limit := job.Spec.ActiveDeadlineSeconds; c.Reason == batchv1.JobReasonDeadlineExceeded && limit != nil {
		return fmt.Sprintf("Job %s ran out of time: it was not done after %s", job.Name, time.Duration(*limit)*time.Second)
	}
	return fmt.Sprintf("Job %s failed: %s: %s", job.Name, c.Reason, c.Message)
}

// applyJob makes the Job that d wants, and stops those of other steps.
func (r *Reconciler) applyJob(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if err := r.stopJobs(ctx, s, d); err != nil {
		return err
	}
	if d.Job == nil || s.canaryJobs.toCreate == nil {
		return nil
	}
	// A rollout that was aborted by the previous leader must not be tested any
	// more: who knows what a test writes.
	if _, err := r.confirmUnchanged(ctx, s.canaryDep); err != nil {
		return err
	}
	if err := r.Client.Create(ctx, s.canaryJobs.toCreate, fieldOwner); err != nil {
		return fmt.Errorf("creating Job %s: %w", s.canaryJobs.toCreate.Name, err)
	}
	return nil
}

// stopJobs deletes those that have no purpose any more and are not done: the
// step was skipped, or the rollout is over. Those that are done stay as a record
// until the canary goes, whose dependents they are. A pause stops none.
func (r *Reconciler) stopJobs(ctx context.Context, s *snapshot, d rollout.Decision) error {
	due := ""
	if d.Canary != nil {
		if goal := d.Canary.State.JobDue(); goal != nil {
			due = jobName(s.canaryDep.Name, goal.Run)
		}
	}
	for i := range s.canaryJobs.existing {
		job := &s.canaryJobs.existing[i]
		if job.Name == due || job.DeletionTimestamp != nil || statusFromConditions(job).Phase != rollout.JobActive {
			continue
		}
		if _, err := r.confirmUnchanged(ctx, s.canaryDep); err != nil {
			return err
		}
		err := r.Client.Delete(ctx, job, client.Preconditions{UID: &job.UID}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Job %s: %w", job.Name, err)
		}
	}
	return nil
}
