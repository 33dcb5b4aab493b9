package controller

import (
	"cmp"
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// canaryJobs are the Jobs that test the present canary.
type canaryJobs struct {
	existing []batchv1.Job              // of any step
	toCreate *unstructured.Unstructured // the Job for the present step; nil: it exists, or cannot be created
}

// observeJobs lists the Jobs of the present canary.
func (r *Reconciler) observeJobs(ctx context.Context, s *snapshot) error {
	var list batchv1.JobList
	owned := client.MatchingFields{ownerIndex: string(s.canaryDep.UID)}
	if err := r.Client.List(ctx, &list, client.InNamespace(s.canaryDep.Namespace), owned); err != nil {
		return fmt.Errorf("listing the Jobs of Deployment %s/%s: %w", s.canaryDep.Namespace, s.canaryDep.Name, err)
	}
	for i := range list.Items {
		if rollout.Owns(s.canaryDep, &list.Items[i]) {
			s.canaryJobs.existing = append(s.canaryJobs.existing, list.Items[i])
		}
	}
	return nil
}

// findJob returns the status of the Job of goal. If there is none, it prepares one
// and finds out whether it can be created, so that a step that can never be done says
// so and does not just wait.
func (r *Reconciler) findJob(ctx context.Context, s *snapshot, goal rollout.JobGoal) (rollout.JobStatus, error) {
	name := jobName(s.canaryDep.Name, goal.Run)
	for i := range s.canaryJobs.existing {
		if s.canaryJobs.existing[i].Name == name {
			return r.statusOf(ctx, &s.canaryJobs.existing[i], goal)
		}
	}
	// The cache has only Jobs with Headgate's label, and may lack one that another
	// manager created.
	live := &batchv1.Job{}
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: name}, live); {
	case err == nil && rollout.Owns(s.canaryDep, live):
		return r.statusOf(ctx, live, goal)
	case err == nil:
		return cannotCreate("the Job needs the name %s, but another Job has it, "+
			"or a Job of an earlier canary that is still being deleted: rename or remove that Job", name), nil
	case !apierrors.IsNotFound(err):
		return rollout.JobStatus{}, err
	}
	return r.prepareJob(ctx, s, goal, name)
}

// prepareJob builds the Job of goal and leaves it in s.canaryJobs.toCreate. A dry run
// finds out whether the API server would accept it: a quota or an admission webhook may
// refuse it.
func (r *Reconciler) prepareJob(ctx context.Context, s *snapshot, goal rollout.JobGoal, name string) (rollout.JobStatus, error) {
	sent, cron := &unstructured.Unstructured{}, &batchv1.CronJob{}
	sent.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("CronJob"))
	switch err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: goal.Template}, sent); {
	case apierrors.IsNotFound(err):
		return cannotCreate(noCronJob, goal.Template), nil
	case apierrors.IsForbidden(err):
		return cannotCreate("%v", err), nil // not an error: the reconcile must go on, it may bring an abort
	case err != nil:
		return rollout.JobStatus{}, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(sent.Object, cron); err != nil {
		return rollout.JobStatus{}, fmt.Errorf("decoding CronJob %s/%s: %w", s.dep.Namespace, goal.Template, err)
	}
	if why := cmp.Or(s.cronJobProblem(cron), resultProblem(cron, goal)); why != "" {
		return cannotCreate("%s", why), nil
	}
	address, err := r.canaryAddress(ctx, s)
	if err != nil {
		return rollout.JobStatus{}, err
	}
	job, err := newJobAsSent(newJob(s, cron, name, address), cron, sent)
	if err != nil {
		return rollout.JobStatus{}, err
	}
	// The client waits until the cache has the resourceVersion of each write. A dry
	// run has none, so it must not wait.
	err = r.Client.Create(ctx, job.DeepCopy(), fieldOwner, client.DryRunAll, client.DisableReadYourWritesConsistency)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return cannotCreate("%s", normalizeMessage(err.Error(), s.canaryDep.Name)), nil
	}
	// Any other error is ignored here, such as that of a webhook that does not support
	// dry runs. If the Job cannot be created, applyJob returns the error.
	s.canaryJobs.toCreate = job
	return rollout.JobStatus{Phase: rollout.JobMissing}, nil
}

const noCronJob = "there is no CronJob %s: create one with suspend: true as the template of the Job"

// cannotCreate returns the status of a Job that cannot be created, and why.
func cannotCreate(format string, args ...any) rollout.JobStatus {
	return rollout.JobStatus{Phase: rollout.JobUnmakable, Message: fmt.Sprintf(format, args...)}
}

// statusFromConditions returns the status of job. It does not wait until the last pod
// ends: FailureTarget and SuccessCriteriaMet say earlier what Failed and Complete
// will say.
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

// failureMessage says why job failed; c is the condition that says so.
func failureMessage(job *batchv1.Job, c batchv1.JobCondition) string {
	if limit := job.Spec.ActiveDeadlineSeconds; c.Reason == batchv1.JobReasonDeadlineExceeded && limit != nil {
		return fmt.Sprintf("Job %s ran out of time: it was not done after %s", job.Name, time.Duration(*limit)*time.Second)
	}
	return fmt.Sprintf("Job %s failed: %s: %s", job.Name, c.Reason, c.Message)
}

// applyJob deletes the Jobs of other steps and creates the one that d wants.
func (r *Reconciler) applyJob(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if err := r.stopJobs(ctx, s, d); err != nil {
		return err
	}
	if d.Job == nil || s.canaryJobs.toCreate == nil {
		return nil
	}
	// A test may write anywhere, so it must not start for a rollout that the previous
	// leader aborted.
	if _, err := r.confirmUnchanged(ctx, s.canaryDep); err != nil {
		return err
	}
	if err := r.Client.Create(ctx, s.canaryJobs.toCreate, fieldOwner); err != nil {
		return fmt.Errorf("creating Job %s: %w", s.canaryJobs.toCreate.GetName(), err)
	}
	return nil
}

// stopJobs deletes the Jobs that still run although their step is over: it was
// skipped, or the rollout ended. Jobs that are done stay as a record; they are deleted
// with the canary, which owns them. A pause stops no Job.
func (r *Reconciler) stopJobs(ctx context.Context, s *snapshot, d rollout.Decision) error {
	due := ""
	if d.Canary != nil {
		if goal := d.Canary.State.DueJob(); goal != nil {
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
