package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

func TestFindVolumeConflict(t *testing.T) {
	claim := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "uploads"}}
	readOnly := *claim.DeepCopy()
	readOnly.PersistentVolumeClaim.ReadOnly = true
	type modes = []corev1.PersistentVolumeAccessMode
	once, pod, many, read := corev1.ReadWriteOnce, corev1.ReadWriteOncePod, corev1.ReadWriteMany, corev1.ReadOnlyMany
	const problem = "volume data is PersistentVolumeClaim uploads, which is ReadWriteOnce: " +
		"a canary pod on another node than the stable pods cannot mount it. Use a ReadWriteMany volume, " +
		"or release without a canary: kubectl annotate deployment/web headgate.dev/command=promote-full"
	tests := map[string]struct {
		volume corev1.VolumeSource
		modes  modes // of PersistentVolumeClaim uploads; nil: there is none
		want   string
	}{
		"for one node":                           {claim, modes{once}, problem},
		"for one node, read-only in the pods":    {readOnly, modes{once}, problem},
		"for one pod":                            {claim, modes{pod}, strings.Replace(problem, "ReadWriteOnce", "ReadWriteOncePod", 1)},
		"for many nodes":                         {claim, modes{many}, ""},
		"for many nodes to read":                 {claim, modes{read}, ""},
		"for one node to write and many to read": {claim, modes{once, read}, ""},
		"of a claim that is missing":             {claim, nil, ""},
		"of each pod's own":                      {corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, modes{once}, ""},
		"of no claim":                            {corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, modes{once}, ""},
	}
	for name, tt := range tests {
		t.Run("a volume "+name, func(t *testing.T) {
			s := &snapshot{dep: stableDeployment()}
			s.dep.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: tt.volume}}
			r := &Reconciler{Live: claims(t, tt.modes)}
			got, err := r.findVolumeConflict(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var want *rollout.Problem
			if tt.want != "" {
				want = &rollout.Problem{Reason: reason.VolumeNotShared, Message: tt.want}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

// claims is an API server that knows PersistentVolumeClaim uploads, if it has
// modes.
func claims(t *testing.T, modes []corev1.PersistentVolumeAccessMode) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	if modes != nil {
		b.WithObjects(&corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "uploads"},
			Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes},
		})
	}
	return b.Build()
}

func TestObserveHostPorts(t *testing.T) {
	container := func(ports ...corev1.ContainerPort) []corev1.Container {
		return []corev1.Container{{Name: "web", Ports: ports}}
	}
	port := func(container, host int32) corev1.ContainerPort {
		return corev1.ContainerPort{ContainerPort: container, HostPort: host}
	}
	tests := map[string]struct {
		pod  corev1.PodSpec
		want string // ports
	}{
		"ports of the pod":                        {corev1.PodSpec{Containers: container(port(8080, 0))}, ""},
		"a port of the node":                      {corev1.PodSpec{Containers: container(port(8080, 80))}, "80"},
		"two, one of them for two protocols":      {corev1.PodSpec{Containers: container(port(8080, 80), port(53, 53), port(53, 53))}, "80, 53"},
		"a port of a sidecar":                     {corev1.PodSpec{InitContainers: container(port(9000, 9000)), Containers: container()}, "9000"},
		"the network of the node":                 {corev1.PodSpec{HostNetwork: true, Containers: container(port(8080, 0))}, "8080"},
		"the network of the node, to call out":    {corev1.PodSpec{HostNetwork: true, Containers: container()}, ""},
		"the network, as the API server tells it": {corev1.PodSpec{HostNetwork: true, Containers: container(port(8080, 8080))}, "8080"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &snapshot{dep: stableDeployment()}
			s.dep.Spec.Template.Spec = tt.pod
			s.observeHostPorts()
			var want []rollout.Note
			if tt.want != "" {
				want = []rollout.Note{{
					Reason: reason.CanaryNeedsFreeNode,
					Message: "host port " + tt.want + ": a canary pod needs a node where it is free. " +
						"Without one, the rollout waits at weight 0 until headgate.dev/progress-deadline is over",
				}}
			}
			if diff := cmp.Diff(want, s.Gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}
