package controller

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// atScoredStep is as atJobStep, at the step job=smoke >= 0.9.
func atScoredStep(t *testing.T, objects ...client.Object) fixture {
	t.Helper()
	s := atJobStep(t, objects...)
	var err error
	if s.Canary.State.Steps[1].Result, err = spec.ParseCondition(">= 0.9"); err != nil {
		t.Fatal(err)
	}
	return s
}

// scoredJob is the Job of that step in the state kind.
func scoredJob(t *testing.T, kind batchv1.JobConditionType, change ...func(*batchv1.Job)) *batchv1.Job {
	t.Helper()
	job := jobOf(atJobStep(t).snapshot, "web-canary-7-1-0", batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batchv1.ControllerUidLabel: string(job.UID)}}
	for _, f := range change {
		f(job)
	}
	return job
}

// podOf is a pod of job in phase. Each of its containers, which are named, wrote a message
// and ended at second.
func podOf(job *batchv1.Job, name string, phase corev1.PodPhase, second int64, messages ...[2]string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: job.Namespace, Labels: job.Spec.Selector.MatchLabels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
	for _, m := range messages {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: m[0], State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Message: m[1], FinishedAt: metav1.Unix(second, 0),
			}},
		})
	}
	return pod
}

func TestJobResult(t *testing.T) {
	job := scoredJob(t, batchv1.JobComplete)
	elsewhere := scoredJob(t, batchv1.JobComplete, func(j *batchv1.Job) {
		j.Spec.Template.Spec.Containers[0].TerminationMessagePath = "/out/score"
	})
	scored := func(number float64) *rollout.JobStatus {
		return &rollout.JobStatus{
			Run: "7-1-0", Phase: rollout.JobSucceeded, Result: rollout.JobResult{Job: "web-canary-7-1-0", Number: number},
		}
	}
	without := func(why string) *rollout.JobStatus {
		return &rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobFailedPhase, Message: "Job web-canary-7-1-0 has no result: " + why}
	}
	const write = `: write a number such as 0.93, or {"score": 0.93}`
	noNumber := func(quoted string) *rollout.JobStatus {
		return without("container curl wrote " + quoted + ", which is not a number, to /dev/termination-log" + write)
	}
	one := func(message string) []client.Object {
		return []client.Object{job, podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", message})}
	}
	stranger := podOf(job, "b", corev1.PodSucceeded, 9, [2]string{"curl", "1"})
	stranger.OwnerReferences = nil
	active := &rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobActive}
	tests := map[string]struct {
		objects []client.Object
		want    *rollout.JobStatus
	}{
		"a number":              {one("0.93"), scored(0.93)},
		"a number on a line":    {one(" 0.93\n"), scored(0.93)},
		"a negative number":     {one("-1.5e-3"), scored(-0.0015)},
		"an object":             {one(`{"score": 0.93, "cases": 120}` + "\n"), scored(0.93)},
		"nothing":               {one(""), without("container curl wrote nothing to /dev/termination-log" + write)},
		"a blank":               {one("\n"), without("container curl wrote nothing to /dev/termination-log" + write)},
		"a number with a unit":  {one("93%"), noNumber(`"93%"`)},
		"not a number":          {one("NaN"), noNumber(`"NaN"`)},
		"infinity":              {one("+Inf"), noNumber(`"+Inf"`)},
		"an object without one": {one(`{"scores": 1}`), noNumber(`"{\"scores\": 1}"`)},
		"a word in an object":   {one(`{"score": "good"}`), noNumber(`"{\"score\": \"good\"}"`)},
		"a log":                 {one(strings.Repeat("é", 90)), noNumber(`"` + strings.Repeat("é", 77) + `..."`)},
		"nothing, in a file of its own": {
			[]client.Object{elsewhere, podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", ""})},
			without("container curl wrote nothing to /out/score" + write),
		},
		"its pod is gone": {
			[]client.Object{job}, without("the pod that succeeded is gone, and its termination message with it"),
		},
		"the pod before it failed": {
			[]client.Object{
				job, podOf(job, "b", corev1.PodFailed, 5, [2]string{"curl", "0.1"}),
				podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", "0.93"}),
			},
			scored(0.93),
		},
		"two pods succeeded: the later one": {
			[]client.Object{
				job, podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", "0.1"}),
				podOf(job, "b", corev1.PodSucceeded, 2, [2]string{"curl", "0.93"}),
				podOf(job, "c", corev1.PodSucceeded, 1, [2]string{"curl", "0.2"}),
			},
			scored(0.93),
		},
		"beside a container that admission added": {
			[]client.Object{
				job,
				podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"added", "0.1"}, [2]string{"curl", "0.93"}, [2]string{"more", "0.2"}),
			},
			scored(0.93),
		},
		"a pod that somebody else labelled": {
			[]client.Object{job, stranger}, without("the pod that succeeded is gone, and its termination message with it"),
		},
		"a pod still ends": {
			[]client.Object{scoredJob(t, batchv1.JobSuccessCriteriaMet), podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", "0.93"})}, active,
		},
		"it failed": {
			[]client.Object{scoredJob(t, batchv1.JobFailed), podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", "0.93"})},
			&rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobFailedPhase, Message: "Job web-canary-7-1-0 failed: : "},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atScoredStep(t, tt.objects...)
			if err := s.lookAtJob(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.Job); diff != "" {
				t.Errorf("Job (-want +got):\n%s", diff)
			}
		})
	}
}

// A score in percent would satisfy every condition on a ratio.
func TestAScoreInPercent(t *testing.T) {
	job := scoredJob(t, batchv1.JobComplete)
	s := atScoredStep(t, job, podOf(job, "a", corev1.PodSucceeded, 1, [2]string{"curl", "95"}))
	var err error
	if s.Canary.State.Steps[1].Result, err = spec.ParseCondition(">= 90%"); err != nil {
		t.Fatal(err)
	}
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = "Job web-canary-7-1-0 has no result: it wrote 95, which is 9500%, and the condition is >= 90%: write a ratio such as 0.95"
	if s.Job.Phase != rollout.JobFailedPhase || s.Job.Message != want {
		t.Errorf("%s: %s", s.Job.Phase, s.Job.Message)
	}
}

// Pods are listed only where there is a condition, and only for a Job that is Complete.
func TestJobResultListsPodsOnce(t *testing.T) {
	tests := map[string]struct {
		at   func(*testing.T, ...client.Object) fixture
		job  *batchv1.Job
		want int
	}{
		"complete":                     {atScoredStep, scoredJob(t, batchv1.JobComplete), 1},
		"complete, but no condition":   {atJobStep, scoredJob(t, batchv1.JobComplete), 0},
		"it still runs":                {atScoredStep, scoredJob(t, batchv1.JobSuspended), 0},
		"its last pod is still ending": {atScoredStep, scoredJob(t, batchv1.JobSuccessCriteriaMet), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tt.at(t, tt.job)
			lists := 0
			s.Live = listing(s, func(context.Context) error { lists++; return nil })
			if err := s.lookAtJob(t.Context()); err != nil || lists != tt.want {
				t.Errorf("%d lists of pods, want %d; %v", lists, tt.want, err)
			}
		})
	}
}

// A failed list is tried again.
func TestJobResultThatCannotBeRead(t *testing.T) {
	s := atScoredStep(t, scoredJob(t, batchv1.JobComplete))
	s.Live = listing(s, func(context.Context) error { return errors.New("no leader") })
	const want = "listing the pods of Job shop/web-canary-7-1-0: no leader"
	if err := s.lookAtJob(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// The reconcile goes on, it may bring an abort.
func TestJobResultThatMayNotBeRead(t *testing.T) {
	s := atScoredStep(t, scoredJob(t, batchv1.JobComplete))
	s.Live = listing(s, func(context.Context) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
	})
	want := &rollout.JobStatus{
		Run: "7-1-0", Phase: rollout.JobFailedPhase, Message: "Job web-canary-7-1-0 has no result: pods is forbidden: no",
	}
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Job); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

// listing is the API server of s, which lists after before has returned no error.
func listing(s fixture, before func(context.Context) error) client.Reader {
	return interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := before(ctx); err != nil {
				return err
			}
			return c.List(ctx, list, opts...)
		},
	})
}

// A Job of several pods has several results, so it is not made.
func TestJobOfSeveralPodsHasNoResult(t *testing.T) {
	const several = "CronJob smoke asks for several pods, and the result >= 0.9 is of one pod: " +
		"set completions and parallelism of its jobTemplate to 1"
	tests := map[string]struct {
		completions, parallelism *int32
		want                     string
	}{
		"as the API server sets it": {ptr.To(int32(1)), ptr.To(int32(1)), ""},
		"as few users write it":     {nil, nil, ""},
		"several completions":       {ptr.To(int32(3)), nil, several},
		"a queue with two workers":  {nil, ptr.To(int32(2)), several},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cron := smoke()
			cron.Spec.JobTemplate.Spec.Completions, cron.Spec.JobTemplate.Spec.Parallelism = tt.completions, tt.parallelism
			for _, at := range []func(*testing.T, ...client.Object) fixture{atScoredStep, atJobStep} {
				s := at(t, cron.DeepCopy())
				want := &rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobMissing}
				if tt.want != "" && !s.Canary.State.DueJob().Result.IsZero() {
					want.Phase, want.Message = rollout.JobUnmakable, tt.want
				}
				if err := s.lookAtJob(t.Context()); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, s.Job); diff != "" {
					t.Errorf("Job (-want +got):\n%s", diff)
				}
			}
		})
	}
}
