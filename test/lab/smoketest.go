package lab

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SmokeTest describes a smoke test as a user would write it: a Job that asks one URL once.
// Namespace, Name and URL are required.
type SmokeTest struct {
	Namespace, Name string
	// URL may name a Service, as in http://web.shop.svc/, and refer to Env, as in http://$(TARGET)/.
	URL string
	// Env configures it (see package smoke): EXPECT_VERSION, EXPECT_BODY, DELAY, SCORE.
	Env map[string]string
}

// Job tries once: its pod is not restarted, and there is no second pod.
func (s SmokeTest) Job() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{s.container()},
			}},
		},
	}
}

// container writes the reason of a failure into its termination message.
func (s SmokeTest) container() corev1.Container {
	return corev1.Container{
		Name: "smoke", Image: SmokeImage + ":v1", Args: []string{s.URL}, Env: environment(s.Env),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}
