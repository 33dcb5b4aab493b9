package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// The same trouble at two moments is told in the same words.
func TestNormalizeMessage(t *testing.T) {
	const (
		long        = "shop-production-storefront-frontend-web-application-canary" // 58 characters
		podSecurity = `is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true ` +
			`(pod or container "web" must set securityContext.runAsNonRoot=true)`
		readError = `Internal error occurred: failed calling webhook "policy.example.com": ` +
			`Post "https://policy.shop.svc:443/?timeout=10s": read tcp `
	)
	tests := map[string]struct {
		canary  string
		moments []string
		want    string
	}{
		"a quota": {"web-canary", []string{
			`pods "web-canary-5d8f7c9b6d-x2x9k" is forbidden: exceeded quota: compute, ` +
				`requested: limits.cpu=1,pods=1, used: limits.cpu=3,pods=2, limited: limits.cpu=3,pods=2`,
			`pods "web-canary-5d8f7c9b6d-7hq4w" is forbidden: exceeded quota: compute, ` +
				`requested: limits.cpu=1,pods=1, used: limits.cpu=3500m,pods=2, limited: limits.cpu=3,pods=2`,
		}, `a canary pod is forbidden: exceeded quota: compute, requested: limits.cpu=1,pods=1, limited: limits.cpu=3,pods=2`},
		"pod security": {"web-canary", []string{
			`pods "web-canary-5d8f7c9b6d-x2x9k" ` + podSecurity,
			`pods "web-canary-5d8f7c9b6d-7hq4w" ` + podSecurity,
		}, `a canary pod ` + podSecurity},
		"an admission webhook that names the pod": {"web-canary", []string{
			`admission webhook "policy.example.com" denied the request: pod shop/web-canary-5d8f7c9b6d-x2x9k has no owner.`,
			`admission webhook "policy.example.com" denied the request: pod shop/web-canary-5d8f7c9b6d-7hq4w has no owner.`,
		}, `admission webhook "policy.example.com" denied the request: pod shop/a canary pod has no owner`},
		"one that names a pod whose name was cut": {long, []string{
			`admission webhook "policy.example.com" denied the request: ` + long + `x2x9k has no owner`,
			`admission webhook "policy.example.com" denied the request: ` + long + `7hq4w has no owner`,
		}, `admission webhook "policy.example.com" denied the request: a canary pod has no owner`},
		"one that does not answer": {"web-canary", []string{
			readError + `10.0.0.9:41234->10.96.0.7:443: i/o timeout`,
			readError + `10.0.0.9:51002->10.96.0.7:443: i/o timeout`,
		}, readError + `10.0.0.9->10.96.0.7:443: i/o timeout`},
		"a pod as a kubelet names it": {"web-canary", []string{
			`container has runAsNonRoot and image will run as root ` +
				`(pod: "web-canary-5d8f7c9b6d-x2x9k_shop(0c3f4c1e-2b7a-4c53-9e0b-6a1d2f3e4b5c)", container: web)`,
			`container has runAsNonRoot and image will run as root ` +
				`(pod: "web-canary-5d8f7c9b6d-7hq4w_shop(6a1d2f3e-2b7a-4c53-9e0b-0c3f4c1e4b5c)", container: web)`,
		}, `container has runAsNonRoot and image will run as root (pod: "a canary pod", container: web)`},
		"a container as a runtime names it": {"web-canary", []string{
			`failed to reserve container name "web_web-canary-5d8f7c9b6d-x2x9k_shop_0c3f4c1e-2b7a-4c53-9e0b-6a1d2f3e4b5c_0": ` +
				`name is reserved for "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e"`,
			`failed to reserve container name "web_web-canary-5d8f7c9b6d-x2x9k_shop_0c3f4c1e-2b7a-4c53-9e0b-6a1d2f3e4b5c_1": ` +
				`name is reserved for "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`,
		}, `failed to reserve container name "web_a canary pod": name is reserved for "..."`},
		"a directory of the pod's": {"web-canary", []string{
			`open /var/lib/kubelet/pods/0c3f4c1e-2b7a-4c53-9e0b-6a1d2f3e4b5c/etc-hosts: no such file or directory`,
			`open /var/lib/kubelet/pods/6a1d2f3e-2b7a-4c53-9e0b-0c3f4c1e4b5c/etc-hosts: no such file or directory`,
		}, `open /var/lib/kubelet/pods/.../etc-hosts: no such file or directory`},
		"names that only look like a pod's": {"web-canary", []string{
			`configmap "web-canary-config" not found`,
		}, `configmap "web-canary-config" not found`},
		"the digest of an image says which": {"web-canary", []string{
			`image "web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" cannot be pulled`,
		}, `image "web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" cannot be pulled`},
		"more than fits": {"web-canary", []string{
			strings.Repeat("näher ", 100),
		}, strings.Repeat("näher ", 49) + "näh..."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, moment := range tt.moments {
				if got := normalizeMessage(moment, tt.canary); got != tt.want {
					t.Errorf("%s\nis told as  %s\nand not as %s", moment, got, tt.want)
				}
			}
		})
	}
}

// moment is one status of the pod of a rollout.
type moment func(*corev1.PodStatus)

func web(change func(*corev1.ContainerStatus)) moment {
	return func(s *corev1.PodStatus) {
		c := corev1.ContainerStatus{Name: "web", Image: "web:v2"}
		change(&c)
		s.ContainerStatuses = []corev1.ContainerStatus{c}
	}
}

func waits(reason, message string) func(*corev1.ContainerStatus) {
	return func(c *corev1.ContainerStatus) {
		c.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	}
}

func ends(code int32, reason, message string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}
}

func unscheduled(message string) moment {
	return func(s *corev1.PodStatus) {
		s.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message,
		}}
	}
}

// ready says since how many seconds the pod is; it is Available after 3.
func ready(seconds int64, m moment) moment {
	return func(s *corev1.PodStatus) {
		m(s)
		s.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(time.Unix(100-seconds, 0)),
		}}
	}
}

func TestFirstPodFailure(t *testing.T) {
	const notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/web:v2": ` +
		`failed to resolve reference: not found`
	running := web(func(c *corev1.ContainerStatus) {
		c.Ready, c.State.Running = true, &corev1.ContainerStateRunning{}
	})
	crashing := func(state corev1.ContainerState, last *corev1.ContainerStateTerminated) moment {
		return web(func(c *corev1.ContainerStatus) { c.State, c.LastTerminationState.Terminated = state, last })
	}
	backOff := func(after string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason:  "CrashLoopBackOff",
			Message: "back-off " + after + " restarting failed container=web pod=web-canary-5d8f7c9b6d-x2x9k_shop(0c3f)",
		}}
	}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	const noExec = `failed to create containerd task: OCI runtime create failed: exec: "/app": no such file or directory`
	tests := map[string]struct {
		moments []moment
		want    string
	}{
		"pods that are only starting": {[]moment{web(waits("ContainerCreating", "")), web(waits("PodInitializing", ""))}, ""},
		"no node has room": {[]moment{
			unscheduled("0/3 nodes are available: 3 Insufficient cpu. " +
				"preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."),
			unscheduled("0/3 nodes are available: 3 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."),
		}, "a canary pod cannot be scheduled: 0/3 nodes are available: 3 Insufficient cpu"},
		"an image that is not there": {[]moment{
			web(waits("ErrImagePull", notFound)),
			web(waits("ImagePullBackOff", `Back-off pulling image "web:v2": ErrImagePull: `+notFound)),
		}, `image "web:v2" of container web cannot be pulled: there is no such image`},
		"an image that is private": {[]moment{
			web(waits("ErrImagePull", "pull access denied, repository does not exist or may require authorization: "+
				"server message: insufficient_scope: authorization failed")),
		}, `image "web:v2" of container web cannot be pulled: access is denied, or there is no such repository`},
		"a registry that is slow": {[]moment{
			web(waits("ErrImagePull", "read udp 10.1.1.5:38712->10.96.0.10:53: i/o timeout")),
			web(waits("ImagePullBackOff", `Back-off pulling image "web:v2": ErrImagePull: dial tcp 10.0.0.1:443: i/o timeout`)),
		}, `image "web:v2" of container web cannot be pulled: the registry does not answer`},
		"an image that nobody could pull": {[]moment{
			web(waits("InvalidImageName", `Failed to apply default image tag "web:v2": couldn't parse image name`)),
		}, `image "web:v2" of container web cannot be pulled: the name of the image is not valid`},
		"an image that must be there": {[]moment{
			web(waits("ErrImageNeverPull", `Container image "web:v2" is not present with pull policy of Never`)),
		}, `image "web:v2" of container web cannot be pulled: it is not on the node, and imagePullPolicy is Never`},
		"an error that nobody knows": {[]moment{
			web(waits("ErrImagePull", "boom 1")), web(waits("ImagePullBackOff", `Back-off pulling image "web:v2": ErrImagePull: boom 2`)),
		}, `image "web:v2" of container web cannot be pulled`},
		"a ConfigMap that is not there": {[]moment{
			web(waits("CreateContainerConfigError", `configmap "web-config" not found`)),
		}, `container web cannot be created: configmap "web-config" not found`},
		"a crash, from one to the next": {[]moment{
			crashing(corev1.ContainerState{Terminated: ends(1, "Error", "at 10:00")}, nil),
			crashing(backOff("10s"), ends(1, "Error", "at 10:00")),
			crashing(runs, ends(1, "Error", "at 10:00")),
			crashing(corev1.ContainerState{Terminated: ends(1, "Error", "at 10:01")}, ends(1, "Error", "at 10:00")),
			crashing(backOff("5m0s"), ends(1, "Error", "at 10:01")),
			ready(2, crashing(runs, ends(1, "Error", "at 10:01"))),
		}, "container web ended with exit code 1 (Error)"},
		"too little memory": {[]moment{
			crashing(backOff("10s"), ends(137, "OOMKilled", "")),
		}, "container web ended with exit code 137 (OOMKilled)"},
		"a command that is not there": {[]moment{
			crashing(corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "RunContainerError", Message: noExec},
			}, ends(128, "StartError", noExec)),
			crashing(backOff("20s"), ends(128, "StartError", noExec)),
		}, "container web ended with exit code 128 (StartError): " + noExec},
		"a pod that is Available after a crash": {[]moment{
			ready(3, crashing(runs, ends(1, "Error", ""))),
		}, ""},
		"an init container that is done, after a crash": {[]moment{func(s *corev1.PodStatus) {
			running(s)
			s.InitContainerStatuses = []corev1.ContainerStatus{{
				Name: "wait", Ready: true, State: corev1.ContainerState{Terminated: ends(0, "Completed", "")},
			}}
			s.ContainerStatuses[0].Ready = false
		}}, ""},
		"an init container that is not": {[]moment{func(s *corev1.PodStatus) {
			web(waits("PodInitializing", ""))(s)
			s.InitContainerStatuses = []corev1.ContainerStatus{{
				Name: "wait", State: backOff("10s"),
				LastTerminationState: corev1.ContainerState{Terminated: ends(2, "Error", "")},
			}}
		}}, "container wait ended with exit code 2 (Error)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, m := range tt.moments {
				s := atJobStep(t)
				s.snapshot.Now = time.Unix(100, 0)
				pod := corev1.Pod{}
				m(&pod.Status)
				if got := s.firstPodFailure([]corev1.Pod{pod}); got != tt.want {
					t.Errorf("moment %d: got  %s\nwant %s", i, got, tt.want)
				}
			}
		})
	}
}

// Which pod comes first in a list means nothing.
func TestFirstPodFailureOfSeveralPods(t *testing.T) {
	of := func(m moment) corev1.Pod {
		pod := corev1.Pod{}
		m(&pod.Status)
		return pod
	}
	s := atJobStep(t)
	full, crashed := of(unscheduled("full")), of(web(func(c *corev1.ContainerStatus) { c.State.Terminated = ends(1, "Error", "") }))
	leaving := of(unscheduled("another reason"))
	leaving.DeletionTimestamp = &metav1.Time{}
	for _, pods := range [][]corev1.Pod{{full, crashed, leaving}, {leaving, crashed, full}} {
		if got := s.firstPodFailure(pods); got != "a canary pod cannot be scheduled: full" {
			t.Errorf("got %s", got)
		}
	}
	if got := s.firstPodFailure([]corev1.Pod{leaving}); got != "" {
		t.Errorf("a pod that goes away is in trouble: %s", got)
	}
}

func TestObservePodFailures(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "web-canary-1", Namespace: "shop", Labels: map[string]string{"app": "web-canary", spec.LabelRollout: "7"},
	}}
	unscheduled("full")(&pod.Status)
	foreign := pod.DeepCopy()
	foreign.Name, foreign.Labels = "web-1", map[string]string{"app": "web"}
	unscheduled("a stable one")(&foreign.Status)
	refused := func(s *snapshot) {
		s.canaryDep.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Message: "not these words"},
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: `pods "web-canary-5d8f7c9b6d-x2x9k" is forbidden: no`},
		}
	}
	const full = "a canary pod cannot be scheduled: full"
	tests := map[string]struct {
		change func(*snapshot)
		broken bool // pods cannot be listed
		want   string
	}{
		"a pod is missing":                   {want: full},
		"the rest of it is Available":        {change: func(s *snapshot) { s.Canary.Available = 1 }, want: full},
		"all are Available":                  {change: func(s *snapshot) { s.Canary.Available = 2 }},
		"nobody waits for them any more":     {change: func(s *snapshot) { s.Canary.State.Mode = rollout.ModeRolledBack }},
		"nobody knows whether anybody waits": {change: func(s *snapshot) { s.Canary.StateErr = errors.New("?") }},
		"pods are refused":                   {change: refused, want: "a canary pod is forbidden: no"},
		"they were": {
			change: func(s *snapshot) { refused(s); s.canaryDep.Status.Conditions[1].Status = corev1.ConditionFalse },
			want:   full,
		},
		"not even a ReplicaSet could be made": {change: func(s *snapshot) {
			s.canaryDep.Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse,
				Reason: "ReplicaSetCreateError", Message: "replicasets are forbidden",
			}}
		}, want: "replicasets are forbidden"},
		"it cannot be known": {broken: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atJobStep(t, pod, foreign)
			if tt.change != nil {
				tt.change(s.snapshot)
			}
			if tt.broken {
				s.Live = interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
					List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
						return errors.New("pods are forbidden")
					},
				})
			}
			if err := s.observePodFailures(t.Context(), s.snapshot); err != nil {
				t.Fatal(err)
			}
			if s.Canary.Trouble != tt.want {
				t.Errorf("got %q, want %q", s.Canary.Trouble, tt.want)
			}
		})
	}
}

func TestIsAvailable(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		minReady int32
		since    time.Duration
		want     bool
	}{
		"ready for long enough":                     {3, 3 * time.Second, true},
		"ready for too short":                       {3, 2 * time.Second, false},
		"ready, and the clock of the node is ahead": {0, -time.Hour, true},
	} {
		pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-c.since))},
		}}}
		dep := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{MinReadySeconds: c.minReady}}
		if got := isAvailable(pod, dep, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
