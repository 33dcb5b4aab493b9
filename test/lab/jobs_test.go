package lab_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

// awaitJob waits until job has ended with this condition, and returns it.
func awaitJob(t *testing.T, job *batchv1.Job, end batchv1.JobConditionType) batchv1.JobCondition {
	t.Helper()
	var found batchv1.JobCondition
	err := shared.Await(within(t, 45*time.Second), job, func() error {
		for _, c := range job.Status.Conditions {
			if c.Type == end && c.Status == corev1.ConditionTrue {
				found = c
				return nil
			}
		}
		return fmt.Errorf("conditions %v, want %s", job.Status.Conditions, end)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// podsOf lists the pods of job.
func podsOf(t *testing.T, job *batchv1.Job) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	ofJob := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
	if err := shared.Client().List(t.Context(), &pods, client.InNamespace(job.Namespace), ofJob); err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

func TestJobAsksAServiceByItsName(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	deploy(t, lab.Sample{Namespace: ns, Name: "web", Version: "v2", Replicas: 2})
	headless := lab.Sample{Namespace: ns, Name: "web"}.Service()
	headless.Name, headless.Spec.ClusterIP = "web-pods", corev1.ClusterIPNone
	create(t, headless, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "empty"}, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Port: 80}},
	}})
	for sentence, c := range map[string]struct {
		url  string
		env  map[string]string
		fail string // part of the termination message; "" when the Job is to complete
	}{
		"SERVICE.NAMESPACE.svc": {url: "http://web." + ns + ".svc/"},
		"SERVICE.NAMESPACE.svc.cluster.local": {
			url: "http://web." + ns + ".svc.cluster.local:80/", env: map[string]string{"EXPECT_VERSION": "v2"},
		},
		"SERVICE alone, in its own namespace":   {url: "http://web/"},
		"a name put together from environment":  {url: "http://$(SERVICE).$(SPACE).svc/", env: map[string]string{"SERVICE": "web", "SPACE": ns}},
		"a headless Service, at the pods' port": {url: "http://web-pods." + ns + ".svc:8080/"},
		"another version is a failure": {
			url: "http://web/", env: map[string]string{"EXPECT_VERSION": "v1"},
			fail: `is version "v2", want "v1"`,
		},
		// The reset may come before or after the client waits for the answer, which is then EOF.
		"a Service without endpoints resets": {url: "http://empty/", fail: `Get "http://empty/": `},
		"a name of no Service is unknown":    {url: "http://none." + ns + ".svc/", fail: "no such host"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			job := lab.SmokeTest{Namespace: ns, URL: c.url, Env: c.env}.Job()
			job.GenerateName = "smoke-"
			create(t, job)
			if c.fail == "" {
				awaitJob(t, job, batchv1.JobComplete)
				return
			}
			if end := awaitJob(t, job, batchv1.JobFailed); end.Reason != batchv1.JobReasonBackoffLimitExceeded {
				t.Errorf("reason %s, want %s", end.Reason, batchv1.JobReasonBackoffLimitExceeded)
			}
			pods := podsOf(t, job)
			if len(pods) != 1 || pods[0].Status.Phase != corev1.PodFailed {
				t.Fatalf("pods %v, want one, Failed", pods)
			}
			status := pods[0].Status.ContainerStatuses[0]
			if e := status.State.Terminated; e == nil || e.ExitCode != 1 || !strings.Contains(e.Message, c.fail) || status.Ready {
				t.Errorf("container status %v, want it ended with code 1 and message %q", status, c.fail)
			}
		})
	}
}

func TestJobThatRestartsItsContainerGivesUp(t *testing.T) {
	t.Parallel()
	job := lab.SmokeTest{Namespace: namespace(t), Name: "smoke", URL: "http://none.invalid/"}.Job()
	job.Spec.BackoffLimit = new(int32(2))
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	create(t, job)
	// Seen during the back-off before the second restart: the last failure deletes the pod.
	if err := lab.Poll(within(t, 20*time.Second), func() error {
		for _, pod := range podsOf(t, job) {
			for _, c := range pod.Status.ContainerStatuses {
				if c.RestartCount > 0 {
					return nil
				}
			}
		}
		return errors.New("no container was started again")
	}); err != nil {
		t.Error(err)
	}
	if end := awaitJob(t, job, batchv1.JobFailed); end.Reason != batchv1.JobReasonBackoffLimitExceeded {
		t.Errorf("reason %s, want %s", end.Reason, batchv1.JobReasonBackoffLimitExceeded)
	}
}

func TestJobThatTakesTooLongIsKilled(t *testing.T) {
	t.Parallel()
	job := lab.SmokeTest{Namespace: namespace(t), Name: "smoke", URL: "http://none.invalid/", Env: map[string]string{"DELAY": "1h"}}.Job()
	job.Spec.ActiveDeadlineSeconds = new(int64(2))
	create(t, job)
	if end := awaitJob(t, job, batchv1.JobFailed); end.Reason != batchv1.JobReasonDeadlineExceeded {
		t.Errorf("reason %s, want %s", end.Reason, batchv1.JobReasonDeadlineExceeded)
	}
	if n := processes(t, job.Namespace); n != 0 {
		t.Errorf("%d processes of the Job still run", n)
	}
}

func TestDeletedJobsProcessIsKilled(t *testing.T) {
	t.Parallel()
	job := lab.SmokeTest{Namespace: namespace(t), Name: "smoke", URL: "http://none.invalid/", Env: map[string]string{"DELAY": "1h"}}.Job()
	create(t, job)
	if err := lab.Poll(within(t, 20*time.Second), func() error {
		if n := processes(t, job.Namespace); n != 1 {
			return fmt.Errorf("%d processes of the Job run, want 1", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	pod := podsOf(t, job)[0]
	if err := shared.Client().Delete(t.Context(), job, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	if err := shared.AwaitGone(within(t, 20*time.Second), &pod); err != nil {
		t.Fatal(err)
	}
	if n := processes(t, job.Namespace); n != 0 {
		t.Errorf("%d processes of the Job still run", n)
	}
}

// processes counts the processes whose environment names namespace's files.
func processes(t *testing.T, namespace string) int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range found {
		if content, err := os.ReadFile(file); err == nil && strings.Contains(string(content), "/pods/"+namespace+"/") {
			n++
		}
	}
	return n
}
