package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// jobNameLimit is the longest name of a Job. An indexed Job appends the index to make
// the host names of its pods, which have at most 63 characters: 57 + len("-99999")
// = 63.
const jobNameLimit = 57

// jobName returns the name of the Job of run, for example web-canary-7-1-0. It
// depends on nothing else, so that two managers create one Job.
func jobName(canary, run string) string {
	return rollout.DerivedName(canary, "-"+run, jobNameLimit)
}

// newJob returns a Job from the template of cron. It tests the canary at address.
//
// That gives nobody more rights: whoever may edit the Deployment may run any pod in
// its namespace.
//
// The Job has no TTL. It is deleted with the canary: if it were deleted before its
// result was observed, the test would run a second time.
func newJob(s *snapshot, cron *batchv1.CronJob, name, address string) *batchv1.Job {
	jobSpec := cron.Spec.JobTemplate.Spec.DeepCopy()
	jobSpec.Suspend, jobSpec.TTLSecondsAfterFinished = nil, nil
	jobSpec.Selector, jobSpec.ManualSelector = nil, nil // the API server sets them for each Job
	if jobSpec.ActiveDeadlineSeconds == nil {
		// Rounded up to whole seconds: 10m is 600, and 100ms is 1. With 0 the Job would
		// fail at once.
		jobSpec.ActiveDeadlineSeconds = ptr.To(int64((s.Spec.ProgressDeadline + time.Second - 1) / time.Second))
	}
	env := jobEnv(s, address)
	for _, containers := range [][]corev1.Container{jobSpec.Template.Spec.InitContainers, jobSpec.Template.Spec.Containers} {
		for i := range containers {
			containers[i].Env = mergeEnv(env, containers[i].Env)
		}
	}
	meta := rollout.OwnedMeta(s.canaryDep, name, s.target.Rollout)
	s.target.Extra.AddTo(&meta)
	return &batchv1.Job{ObjectMeta: meta, Spec: *jobSpec}
}

// newJobAsSent returns job, which newJob made from cron, with the fields of the template
// that the types of this program lack. sent is cron as the API server sent it.
func newJobAsSent(job *batchv1.Job, cron *batchv1.CronJob, sent *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	known, err := fieldsOf(&cron.Spec.JobTemplate.Spec)
	if err != nil {
		return nil, err
	}
	job.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("Job"))
	fields, err := fieldsOf(job)
	if err != nil {
		return nil, err
	}
	template, _, _ := unstructured.NestedFieldNoCopy(sent.Object, "spec", "jobTemplate", "spec")
	fields["spec"] = changeFields(template, known, fields["spec"])
	return &unstructured.Unstructured{Object: fields}, nil
}

// jobEnv returns the environment variables that tell every container of a Job what
// it tests.
func jobEnv(s *snapshot, address string) []corev1.EnvVar {
	template := s.canaryDep.Spec.Template
	version := template.Labels["app.kubernetes.io/version"]
	if version == "" {
		version = template.Spec.Containers[0].Image
	}
	return []corev1.EnvVar{
		{Name: "HEADGATE_CANARY_ADDRESS", Value: address},
		{Name: "HEADGATE_CANARY_NAME", Value: s.canaryDep.Name},
		{Name: "HEADGATE_CANARY_VERSION", Value: version},
		{Name: "HEADGATE_ROLLOUT", Value: s.target.Rollout},
		{Name: "HEADGATE_NAMESPACE", Value: s.dep.Namespace},
		{Name: "HEADGATE_WEIGHT", Value: strconv.Itoa(s.Canary.State.Weight)},
	}
}

// mergeEnv returns ours followed by users. Ours come first because Kubernetes
// replaces $(HEADGATE_CANARY_ADDRESS) only in the values after that variable. A
// variable of the user's with one of our names is left out: it is a default for runs
// by hand, and as the later one it would win.
func mergeEnv(ours, users []corev1.EnvVar) []corev1.EnvVar {
	env := slices.Clone(ours)
	for _, v := range users {
		if !slices.ContainsFunc(ours, func(o corev1.EnvVar) bool { return o.Name == v.Name }) {
			env = append(env, v)
		}
	}
	return env
}

// cronJobProblem says why no Job can be created from cron now. "": one can.
func (s *snapshot) cronJobProblem(cron *batchv1.CronJob) string {
	switch selector := s.selectedBy(cron.Spec.JobTemplate.Spec.Template.Labels); {
	case s.SpecErr != nil:
		return s.SpecErr.Error()
	case s.Problem != nil:
		return s.Problem.Message
	case len(s.Traffic.Services) == 0:
		return "there is no Service through which the Job can reach the canary"
	case !ptr.Deref(cron.Spec.Suspend, false):
		return fmt.Sprintf("CronJob %s is not suspended, so it also runs on its own schedule: set its spec.suspend to true", cron.Name)
	case selector != "":
		return fmt.Sprintf("the pods of CronJob %s match the selector of %s, as if they belonged to the application: "+
			"give its jobTemplate other labels", cron.Name, selector)
	}
	return ""
}

// selectedBy returns what selects pods with the labels pod as if they were stable or
// canary pods: a Deployment, or a Service, which would send them requests. "":
// nothing does. The canary Services need no check: they select a part of what the
// canary Deployment selects.
func (s *snapshot) selectedBy(pod map[string]string) string {
	for _, dep := range []*appsv1.Deployment{s.dep, s.canaryDep} {
		if own, err := metav1.LabelSelectorAsSelector(dep.Spec.Selector); err == nil && own.Matches(labels.Set(pod)) {
			return "Deployment " + dep.Name
		}
	}
	for _, service := range s.Traffic.Selectors {
		if own := labels.SelectorFromSet(service); own.Matches(labels.Set(pod)) {
			return "a Service (" + own.String() + ")"
		}
	}
	return ""
}

// canaryAddress returns host and port at which only canary pods answer, for example
// web-canary.shop.svc:80. It takes the port from the stable Service: the canary
// Service is a copy of it.
func (r *Reconciler) canaryAddress(ctx context.Context, s *snapshot) (string, error) {
	svc := &corev1.Service{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: s.Traffic.Services[0]}, svc); err != nil {
		return "", err
	}
	port := s.Traffic.Port
	for _, p := range svc.Spec.Ports {
		if port == p.Name || port == strconv.Itoa(int(p.Port)) {
			port = portToDial(svc, p, s.canaryDep.Spec.Template.Spec.Containers)
			break
		}
	}
	return fmt.Sprintf("%s.%s.svc:%s", s.Traffic.CanaryService, s.dep.Namespace, port), nil
}

// portToDial returns the port number that a client of svc has to use. With port 80 and
// targetPort 8080 it is 80, because kube-proxy translates it. For a headless Service
// it is 8080: the client connects to the pod itself.
func portToDial(svc *corev1.Service, p corev1.ServicePort, containers []corev1.Container) string {
	if svc.Spec.ClusterIP != corev1.ClusterIPNone {
		return strconv.Itoa(int(p.Port))
	}
	if p.TargetPort.Type == intstr.Int {
		return strconv.Itoa(int(cmp.Or(p.TargetPort.IntVal, p.Port)))
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.Name == p.TargetPort.StrVal {
				return strconv.Itoa(int(port.ContainerPort))
			}
		}
	}
	return p.TargetPort.StrVal
}
