package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

func TestNewJob(t *testing.T) {
	s := atJobStep(t)
	cron := smoke()
	cron.Spec.JobTemplate.ObjectMeta = metav1.ObjectMeta{Labels: map[string]string{"helm.sh/chart": "smoke-1"}}
	jobSpec := &cron.Spec.JobTemplate.Spec
	jobSpec.Suspend, jobSpec.TTLSecondsAfterFinished = ptr.To(true), ptr.To[int32](0)
	jobSpec.Selector, jobSpec.ManualSelector = &metav1.LabelSelector{}, ptr.To(true)
	jobSpec.BackoffLimit, jobSpec.Completions, jobSpec.Parallelism = ptr.To[int32](1), ptr.To[int32](2), ptr.To[int32](3)
	pod := &jobSpec.Template.Spec
	pod.InitContainers = []corev1.Container{{Name: "wait"}}
	pod.Containers[0].Env = []corev1.EnvVar{
		{Name: "URL", Value: "http://$(HEADGATE_CANARY_ADDRESS)/"},
		{Name: "HEADGATE_WEIGHT", Value: "a default, for runs by hand"},
	}
	before := cron.DeepCopy()

	got := newJob(s.snapshot, cron, "web-canary-7-1-0", "web-canary.shop.svc:80")

	if diff := cmp.Diff(before, cron); diff != "" {
		t.Errorf("the CronJob, which may be a cache's, was changed (-before +after):\n%s", diff)
	}
	env := []corev1.EnvVar{
		{Name: "HEADGATE_CANARY_ADDRESS", Value: "web-canary.shop.svc:80"},
		{Name: "HEADGATE_CANARY_NAME", Value: "web-canary"},
		{Name: "HEADGATE_CANARY_VERSION", Value: "web:v2"},
		{Name: "HEADGATE_ROLLOUT", Value: "7"},
		{Name: "HEADGATE_NAMESPACE", Value: "shop"},
		{Name: "HEADGATE_WEIGHT", Value: "10"},
	}
	want := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-canary-7-1-0", Namespace: "shop",
			Labels: map[string]string{spec.LabelManagedBy: "headgate", spec.LabelRollout: "7"},
			Annotations: map[string]string{
				"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
				"argocd.argoproj.io/ignore-resource-updates": "true",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "web-canary", UID: "u2", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(false),
			}},
		},
		Spec: batchv1.JobSpec{
			ActiveDeadlineSeconds: ptr.To[int64](600),
			BackoffLimit:          ptr.To[int32](1), Completions: ptr.To[int32](2), Parallelism: ptr.To[int32](3),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "smoke"}},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{{Name: "wait", Env: env}},
					Containers: []corev1.Container{{Name: "curl", Image: "curl", Env: append(env[:len(env):len(env)],
						corev1.EnvVar{Name: "URL", Value: "http://$(HEADGATE_CANARY_ADDRESS)/"})}},
				},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

func TestNewJobDeadline(t *testing.T) {
	tests := map[string]struct {
		written  *int64
		deadline time.Duration
		want     int64
	}{
		"that of the rollout":                     {nil, 10 * time.Minute, 600},
		"part of a second is not nothing":         {nil, 100 * time.Millisecond, 1},
		"the CronJob's own, even if it is longer": {ptr.To[int64](3600), 10 * time.Minute, 3600},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, cron := atJobStep(t), smoke()
			s.Spec.ProgressDeadline = tt.deadline
			cron.Spec.JobTemplate.Spec.ActiveDeadlineSeconds = tt.written
			if got := *newJob(s.snapshot, cron, "", "").Spec.ActiveDeadlineSeconds; got != tt.want {
				t.Errorf("got %d s, want %d", got, tt.want)
			}
		})
	}
}

func TestJobVersion(t *testing.T) {
	s := atJobStep(t)
	s.canaryDep.Spec.Template.Labels["app.kubernetes.io/version"] = "2.0.1"
	for _, v := range jobEnv(s.snapshot, "") {
		if v.Name == "HEADGATE_CANARY_VERSION" && v.Value != "2.0.1" {
			t.Errorf("the version is %q, want that of the label", v.Value)
		}
	}
}

func TestJobName(t *testing.T) {
	long := strings.Repeat("web-", 20)
	tests := map[string]struct{ canary, run, want string }{
		"short":                          {"web-canary", "7-1-0", "web-canary-7-1-0"},
		"long":                           {long + "canary", "7-1-0", "web-web-web-web-web-web-web-web-web-web-we-8eae9bd2-7-1-0"},
		"long, and different at its end": {long + "b-canary", "7-1-0", "web-web-web-web-web-web-web-web-web-web-we-cf84ec1d-7-1-0"},
		"long, and cut after a dash":     {long + "canary", "17-10-0", "web-web-web-web-web-web-web-web-web-web-8eae9bd2-17-10-0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := jobName(tt.canary, tt.run)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if errs := validation.IsDNS1123Label(got + "-99999"); errs != nil {
				t.Errorf("%s is no host name of an indexed pod: %v", got, errs)
			}
		})
	}
}

func TestCanaryAddress(t *testing.T) {
	service := func(clusterIP string, ports ...corev1.ServicePort) client.Object {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
			Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Ports: ports},
		}
	}
	metrics := corev1.ServicePort{Name: "metrics", Port: 9090}
	port := func(target intstr.IntOrString) corev1.ServicePort {
		return corev1.ServicePort{Name: "http", Port: 80, TargetPort: target}
	}
	tests := map[string]struct {
		svc  client.Object
		port string // as written in the Ingress
		want string
	}{
		"a port by its name": {
			service("10.0.0.1", metrics, port(intstr.FromInt(8080))),
			"http",
			"web-canary.shop.svc:80",
		},
		"a port by its number": {service("10.0.0.1", metrics, port(intstr.FromInt(8080))), "80", "web-canary.shop.svc:80"},
		"nobody translates it": {service("None", metrics, port(intstr.FromInt(8080))), "http", "web-canary.shop.svc:8080"},
		"nobody translates it, and it is named": {
			service("None", metrics, port(intstr.FromString("web"))),
			"80",
			"web-canary.shop.svc:8081",
		},
		"nobody translates it, and it is the same":   {service("None", port(intstr.IntOrString{})), "80", "web-canary.shop.svc:80"},
		"the Ingress leads to no port that is there": {service("10.0.0.1", metrics), "80", "web-canary.shop.svc:80"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atJobStep(t)
			if err := s.Live.(client.Client).Update(t.Context(), tt.svc); err != nil {
				t.Fatal(err)
			}
			s.Traffic.Port = tt.port
			s.canaryDep.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "web", ContainerPort: 8081}}
			got, err := s.canaryAddress(t.Context(), s.snapshot)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}
