package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// shownResult is how many characters of a termination message that is no number are
// shown.
const shownResult = 80

// statusOf returns the status of job, with its result if goal has a condition on it. Then
// the Job counts as Active until it is Complete, which is when all of its pods have ended.
func (r *Reconciler) statusOf(ctx context.Context, job *batchv1.Job, goal rollout.JobGoal) (rollout.JobStatus, error) {
	status := statusFromConditions(job)
	if goal.Result.IsZero() || status.Phase != rollout.JobSucceeded {
		return status, nil
	}
	if !isComplete(job) {
		return rollout.JobStatus{Phase: rollout.JobActive}, nil
	}
	end, err := r.lastSuccess(ctx, job)
	if apierrors.IsForbidden(err) { // not an error: the reconcile must go on, it may bring an abort
		return withoutResult(job, err.Error()), nil
	}
	if err != nil {
		return rollout.JobStatus{}, fmt.Errorf("listing the pods of Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	if end == nil {
		return withoutResult(job, "the pod that succeeded is gone, and its termination message with it"), nil
	}
	number, ok := parseResult(end.Message)
	if !ok {
		return withoutResult(job, describeNoNumber(&job.Spec.Template.Spec.Containers[0], end.Message)), nil
	}
	if c := goal.Result; c.Unit() == "%" && c.Bound() <= 1 && number > 1 {
		why := fmt.Sprintf("it wrote %g, which is %g%%, and the condition is %s: write a ratio such as 0.95", number, number*100, c)
		return withoutResult(job, why), nil
	}
	status.Result = rollout.JobResult{Job: job.Name, Number: number}
	return status, nil
}

func withoutResult(job *batchv1.Job, why string) rollout.JobStatus {
	return rollout.JobStatus{Phase: rollout.JobFailedPhase, Message: fmt.Sprintf("Job %s has no result: %s", job.Name, why)}
}

func isComplete(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// lastSuccess returns how the first container of the Job's template ended, in the pod
// that succeeded last: rarely, the Job controller starts a second pod although one
// succeeds. nil: there is no such pod. The API server is asked, because no cache has
// pods, and once: the pods of a Complete Job do not change.
//
// The container is found by its name: admission may put another one first, and a kubelet
// sorts the statuses of containers by name.
func (r *Reconciler) lastSuccess(ctx context.Context, job *batchv1.Job) (*corev1.ContainerStateTerminated, error) {
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := r.Live.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	var last *corev1.ContainerStateTerminated
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase != corev1.PodSucceeded || !metav1.IsControlledBy(pod, job) {
			continue
		}
		for _, c := range pod.Status.ContainerStatuses {
			end := c.State.Terminated
			if c.Name == job.Spec.Template.Spec.Containers[0].Name && end != nil && (last == nil || last.FinishedAt.Before(&end.FinishedAt)) {
				last = end
			}
		}
	}
	return last, nil
}

// parseResult reads a number, such as "0.93", or a JSON object with one, such as
// {"score": 0.93}.
func parseResult(message string) (number float64, ok bool) {
	message = strings.TrimSpace(message)
	number, err := strconv.ParseFloat(message, 64)
	if err != nil {
		var object struct {
			Score *float64 `json:"score"`
		}
		if json.Unmarshal([]byte(message), &object) != nil || object.Score == nil {
			return 0, false
		}
		number = *object.Score
	}
	return number, !math.IsNaN(number) && !math.IsInf(number, 0)
}

// describeNoNumber says what container c wrote instead of a number, and what to write.
func describeNoNumber(c *corev1.Container, message string) string {
	wrote := "nothing"
	if message = strings.TrimSpace(message); message != "" {
		wrote = strconv.Quote(shorten(message, shownResult)) + ", which is not a number,"
	}
	path := cmp.Or(c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	return fmt.Sprintf(`container %s wrote %s to %s: write a number such as 0.93, or {"score": 0.93}`, c.Name, wrote, path)
}

// resultProblem says why a Job from cron has no single result. "": it has one, or goal
// does not ask for it.
func resultProblem(cron *batchv1.CronJob, goal rollout.JobGoal) string {
	job := cron.Spec.JobTemplate.Spec
	if goal.Result.IsZero() || ptr.Deref(job.Completions, 1) <= 1 && ptr.Deref(job.Parallelism, 1) <= 1 {
		return ""
	}
	return fmt.Sprintf("CronJob %s asks for several pods, and the result %s is of one pod: "+
		"set completions and parallelism of its jobTemplate to 1", cron.Name, goal.Result)
}
