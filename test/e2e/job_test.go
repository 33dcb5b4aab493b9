package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestSmokeTestBeforeAnyTraffic: a Job sends a request to the canary before any user
// does. If the Job fails, no user has seen the version. The failed Job stays until the
// next rollout.
func TestSmokeTestBeforeAnyTraffic(t *testing.T) {
	t.Parallel()
	s := newTested(t, "job=smoke-test")
	s.smokeTest(map[string]string{"EXPECT_VERSION": "v3"})
	s.ship("v2", nil)
	s.awaitWords(time.Minute, reason.JobFailed, "BackoffLimitExceeded")
	canary := s.canary()
	s.must(shared.Await(s.within(30*time.Second), canary, func() error { return none(canary) }))
	failed := s.job(s.hold())
	if !metav1.IsControlledBy(failed, canary) {
		t.Errorf("the Job that failed belongs to %v, want the canary", failed.OwnerReferences)
	}

	s.smokeTest(map[string]string{"EXPECT_VERSION": "v3", "DELAY": "5s"})
	s.ship("v3", nil)
	s.awaitWords(time.Minute, reason.JobRunning, "weight 0, the Job of CronJob smoke-test")
	job := s.job(s.hold())
	want := map[string]string{
		"HEADGATE_CANARY_ADDRESS": "web-canary." + s.Namespace + ".svc:80",
		"HEADGATE_CANARY_NAME":    "web-canary",
		"HEADGATE_CANARY_VERSION": lab.Image("v3"),
		"HEADGATE_ROLLOUT":        s.hold(),
		"HEADGATE_NAMESPACE":      s.Namespace,
		"HEADGATE_WEIGHT":         "0",
		"EXPECT_VERSION":          "v3",
		"DELAY":                   "5s",
	}
	if diff := cmp.Diff(want, environmentOf(s.podOf(job))); diff != "" {
		t.Errorf("environment of the test (-want +got):\n%s", diff)
	}
	passed := s.completed(job)
	s.must(shared.AwaitGone(s.within(30*time.Second), failed))
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.noJob()
	r := s.over()
	if n := r.Versions()["v2"]; n > 0 {
		t.Errorf("%d answers came from the version that failed its test", n)
	}
	if n := r.Between(time.Time{}, passed).Versions()["v3"]; n > 0 {
		t.Errorf("%d answers came from v3 before its test had passed", n)
	}
	if got := s.weights.all(); !slices.Equal(got, []int{0, -1, 0, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
}

// TestSmokeTestThatHangs: an abort deletes the Job. Without an abort, the Job's own
// deadline ends the rollout.
func TestSmokeTestThatHangs(t *testing.T) {
	t.Parallel()
	s := newTested(t, "job=smoke-test")
	s.smokeTest(map[string]string{"DELAY": "1h"})
	s.ship("v2", nil)
	s.await(time.Minute, reason.JobRunning)
	job := s.job(s.hold())
	pod := s.podOf(job)
	s.annotate(spec.AnnotationCommand, "abort")
	s.await(20*time.Second, reason.AbortedByCommand)
	s.must(shared.AwaitGone(s.within(20*time.Second), job))
	s.must(shared.AwaitGone(s.within(20*time.Second), pod))

	s.smokeTest(map[string]string{"DELAY": "1h"}, func(job *batchv1.JobTemplateSpec) {
		job.Spec.ActiveDeadlineSeconds = new(int64(3))
	})
	s.ship("v3", nil)
	s.awaitWords(time.Minute, reason.JobFailed, "ran out of time: it was not done after 3s")
	s.neverSeen("v2", "v3")
}

// TestSmokeTestThatCannotBeMade: the message says why the Job cannot be made. When the
// cause is corrected, the rollout goes on.
func TestSmokeTestThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s := newTested(t, "job=smoke-test")
	s.ship("v2", nil)
	s.awaitWords(time.Minute, reason.JobUnavailable, "there is no CronJob smoke-test: create one with suspend: true")

	s.smokeTest(nil, func(job *batchv1.JobTemplateSpec) {
		job.Spec.Template.Labels = map[string]string{"app": s.Name}
	})
	s.poke()
	s.awaitWords(time.Minute, reason.JobUnavailable, "the pods of CronJob smoke-test match the selector of")
	if jobs := s.jobs(); len(jobs) > 0 {
		t.Errorf("there is Job %s all the same", jobs[0].Name)
	}

	s.smokeTest(nil)
	s.poke()
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	s.noJob()
	s.over()
}

// TestSmokeTestWithAScore: the number that the Job writes decides.
func TestSmokeTestWithAScore(t *testing.T) {
	t.Parallel()
	s := newTested(t, "job=smoke-test >= 0.9")
	s.smokeTest(map[string]string{"SCORE": "0.71"})
	s.ship("v2", nil)
	s.awaitWords(time.Minute, reason.JobFailed, "has the result 0.71, want >= 0.9")

	s.smokeTest(map[string]string{"SCORE": `{"score": 0.93}`})
	s.ship("v3", nil)
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)
	if n := s.over().Versions()["v2"]; n > 0 {
		t.Errorf("%d answers came from the version with the bad score", n)
	}
}

// newTested returns a service whose rollouts begin with a smoke test, the step job.
func newTested(t *testing.T, job string) *service {
	t.Helper()
	s := newService(t, map[string]string{spec.AnnotationSteps: job + ", 50%, 100%"}, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)
	return s
}

// smokeTest applies the suspended CronJob that is the template of the Jobs. Each Job
// sends one request to the canary.
func (s *service) smokeTest(env map[string]string, change ...func(*batchv1.JobTemplateSpec)) {
	s.Helper()
	cron := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "smoke-test"},
		Spec: batchv1.CronJobSpec{
			Schedule:    "0 0 1 1 *",
			Suspend:     new(true),
			JobTemplate: batchv1.JobTemplateSpec{Spec: lab.SmokeTest{URL: "http://$(HEADGATE_CANARY_ADDRESS)/", Env: env}.Job().Spec},
		},
	}
	for _, f := range change {
		f(&cron.Spec.JobTemplate)
	}
	s.apply(cron)
}

func (s *service) jobs() []batchv1.Job {
	s.Helper()
	var list batchv1.JobList
	s.must(shared.Client().List(s.Context(), &list, client.InNamespace(s.Namespace)))
	return list.Items
}

// job waits for the Job of rollout id.
func (s *service) job(id string) *batchv1.Job {
	s.Helper()
	var job *batchv1.Job
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		for _, j := range s.jobs() {
			if j.Labels[spec.LabelRollout] == id {
				job = &j
				return nil
			}
		}
		return fmt.Errorf("there is no Job of rollout %s", id)
	}))
	return job
}

func (s *service) noJob() {
	s.Helper()
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		if n := len(s.jobs()); n > 0 {
			return fmt.Errorf("there are %d Jobs, want none", n)
		}
		return nil
	}))
}

// podOf waits until the only pod of job runs.
func (s *service) podOf(job *batchv1.Job) *corev1.Pod {
	s.Helper()
	var pods corev1.PodList
	s.must(lab.Poll(s.within(20*time.Second), func() error {
		s.must(shared.Client().List(s.Context(), &pods, client.InNamespace(s.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}))
		if len(pods.Items) != 1 || pods.Items[0].Status.Phase == corev1.PodPending {
			return fmt.Errorf("there are %d pods of Job %s, want one that runs", len(pods.Items), job.Name)
		}
		return nil
	}))
	return &pods.Items[0]
}

func environmentOf(pod *corev1.Pod) map[string]string {
	env := map[string]string{}
	for _, v := range pod.Spec.Containers[0].Env {
		env[v.Name] = v.Value
	}
	return env
}

// completed waits until job is Complete, and returns the time of that, at most a
// second too early.
func (s *service) completed(job *batchv1.Job) time.Time {
	s.Helper()
	s.must(shared.Await(s.within(time.Minute), job, func() error {
		if job.Status.CompletionTime == nil {
			return fmt.Errorf("the Job is not done: %v", job.Status.Conditions)
		}
		return nil
	}))
	return job.Status.CompletionTime.Time
}

// neverSeen stops the load and checks that none of versions answered and that no
// weight was above 0.
func (s *service) neverSeen(versions ...string) {
	s.Helper()
	r := s.over()
	for _, version := range versions {
		if n := r.Versions()[version]; n > 0 {
			s.Errorf("%d answers came from %s", n, version)
		}
	}
	if got := s.weights.all(); len(got) > 0 && slices.Max(got) > 0 {
		s.Errorf("weights of %s were %v", strings.Join(versions, " and "), got)
	}
}
