package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// observeHostPorts notes the ports that a canary pod and a stable pod cannot both have
// on one node. That is only a gap: the port may be free on another node.
func (s *snapshot) observeHostPorts() {
	if ports := hostPorts(&s.dep.Spec.Template.Spec); len(ports) > 0 {
		s.Gaps = append(s.Gaps, rollout.Note{Reason: reason.CanaryNeedsFreeNode, Message: fmt.Sprintf(
			"host port %s: a canary pod needs a node where it is free. Without one, the rollout waits at weight 0 until %s is over",
			strings.Join(ports, ", "), spec.AnnotationProgressDeadline)})
	}
}

// findVolumeConflict returns the problem of the first volume that a canary pod and a
// stable pod cannot both mount. nil: there is none.
func (r *Reconciler) findVolumeConflict(ctx context.Context, s *snapshot) (*rollout.Problem, error) {
	for _, volume := range s.dep.Spec.Template.Spec.Volumes {
		if problem, err := r.volumeProblem(ctx, s, volume); problem != nil || err != nil {
			return problem, err
		}
	}
	return nil, nil
}

// volumeProblem says why stable and canary pods cannot both mount volume. nil: they
// can, or the claim does not exist, which the pods themselves will report. A read-only
// mount makes no difference: the access mode is about nodes, not pods.
func (r *Reconciler) volumeProblem(ctx context.Context, s *snapshot, volume corev1.Volume) (*rollout.Problem, error) {
	if volume.PersistentVolumeClaim == nil { // not shared between pods; an ephemeral claim belongs to one pod
		return nil, nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	key := types.NamespacedName{Namespace: s.dep.Namespace, Name: volume.PersistentVolumeClaim.ClaimName}
	if err := r.Live.Get(ctx, key, claim); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("reading PersistentVolumeClaim %s: %w", key, err)
	}
	modes := claim.Spec.AccessModes
	if slices.Contains(modes, corev1.ReadWriteMany) || slices.Contains(modes, corev1.ReadOnlyMany) || len(modes) == 0 {
		return nil, nil
	}
	return &rollout.Problem{Reason: reason.VolumeNotShared, Message: fmt.Sprintf(
		"volume %s is PersistentVolumeClaim %s, which is %s: a canary pod on another node than the stable pods cannot mount it. "+
			"Use a ReadWriteMany volume, or release without a canary: kubectl annotate deployment/%s %s=%s",
		volume.Name, key.Name, modes[0], s.dep.Name, spec.AnnotationCommand, spec.VerbPromoteFull)}, nil
}

// hostPorts returns the ports that pod takes on its node, each one once. With
// hostNetwork these are its container ports.
func hostPorts(pod *corev1.PodSpec) []string {
	var ports []string
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, p := range c.Ports {
			port := p.HostPort
			if port == 0 && pod.HostNetwork {
				port = p.ContainerPort
			}
			if text := fmt.Sprint(port); port != 0 && !slices.Contains(ports, text) {
				ports = append(ports, text)
			}
		}
	}
	return ports
}
