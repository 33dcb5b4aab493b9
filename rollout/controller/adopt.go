package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// This file makes the pods of a canary pods of the user's Deployment. It rests on how
// the controllers of Kubernetes find what is theirs (pkg/controller/deployment, 1.37):
//
//   - FindNewReplicaSet finds the ReplicaSet of a Deployment by its template, and ignores
//     the label pod-template-hash. Any value of that label will do.
//   - A ReplicaSet takes pods that match its selector and have no controller.
//   - A Deployment takes ReplicaSets by their own labels, which are independent of their
//     selector. So a ReplicaSet can take the pods first, and be handed over afterwards.
//   - scale() sends the old ReplicaSets to 0 at once if the new one is saturated when it
//     is found: its replicas, its annotation desired-replicas and its Available pods are
//     all what the Deployment wants. One that is not would be scaled as a part of the
//     whole, together with the old ones.

// The annotations by which the Deployment controller sees that a ReplicaSet is
// saturated (pkg/controller/deployment/util).
const (
	annotationDesired = "deployment.kubernetes.io/desired-replicas"
	annotationMax     = "deployment.kubernetes.io/max-replicas"
)

// adoption is what was seen of a canary whose pods change their owner.
type adoption struct {
	pods    []corev1.Pod       // of the rollout, without those that are being deleted
	adopter *appsv1.ReplicaSet // the ReplicaSet for them; nil: there is none
}

// observeAdoption reads the pods of the canary and their new ReplicaSet from the API
// server. Only a canary that is being adopted is paused: no other costs these reads.
func (r *Reconciler) observeAdoption(ctx context.Context, s *snapshot) error {
	if !s.canaryDep.Spec.Paused {
		return nil
	}
	if err := r.readAdoption(ctx, s); err != nil {
		return err
	}
	c, a := s.Canary, s.adoption
	c.Available = 0
	for i := range a.pods {
		if isAvailable(&a.pods[i], s.canaryDep, s.Now) {
			c.Available++
		}
	}
	if a.adopter == nil {
		return nil
	}
	c.Adopted = metav1.IsControlledBy(a.adopter, s.dep)
	if c.Filled = !c.Adopted && isSaturated(a.adopter, *s.dep.Spec.Replicas); c.Filled {
		c.FilledSince = r.filled.since(s)
	}
	return nil
}

func (r *Reconciler) readAdoption(ctx context.Context, s *snapshot) error {
	s.adoption = &adoption{}
	var pods corev1.PodList
	of := client.MatchingLabels{spec.LabelRollout: rolloutOf(s.canaryDep), spec.LabelCanary: canaryLabel(s.dep)}
	if err := r.Live.List(ctx, &pods, client.InNamespace(s.dep.Namespace), of); err != nil {
		return fmt.Errorf("listing the pods of canary %s/%s: %w", s.dep.Namespace, s.canaryDep.Name, err)
	}
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil && isOfCanary(s, &pod) {
			s.adoption.pods = append(s.adoption.pods, pod)
		}
	}
	adopter := &appsv1.ReplicaSet{}
	key := client.ObjectKey{Namespace: s.dep.Namespace, Name: adopterName(s)}
	switch err := r.Live.Get(ctx, key, adopter); {
	case err == nil:
		s.adoption.adopter = adopter
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("reading ReplicaSet %s: %w", key, err)
	}
	return nil
}

// isOfCanary says whether pod is of the canary, and not of another Deployment whose template
// has the same labels: that would become part of the application unjudged. A pod of the canary
// has the ReplicaSet of the canary, then none, then the adopter. Only the canary Deployment
// makes a ReplicaSet whose name is its own with the hash of the pod: hashes have no dash.
func isOfCanary(s *snapshot, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return true
	}
	made := s.canaryDep.Name + "-" + pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	return owner.Kind == "ReplicaSet" && (owner.Name == made || owner.Name == adopterName(s))
}

// rolloutOf returns the rollout of a canary object.
func rolloutOf(obj client.Object) string { return obj.GetLabels()[spec.LabelRollout] }

// adopterHash returns the pod-template-hash of adopted pods. Kubernetes does not care for
// its value. It differs from rollout to rollout, so no older ReplicaSet has it.
func adopterHash(s *snapshot) string {
	sum := sha256.Sum256([]byte(string(s.dep.UID) + "/" + rolloutOf(s.canaryDep)))
	return hex.EncodeToString(sum[:5])
}

func adopterName(s *snapshot) string { return s.dep.Name + "-" + adopterHash(s) }

// isSaturated says whether the Deployment controller would take rs, the new ReplicaSet,
// for complete.
func isSaturated(rs *appsv1.ReplicaSet, replicas int32) bool {
	return *rs.Spec.Replicas == replicas && rs.Annotations[annotationDesired] == strconv.Itoa(int(replicas)) &&
		rs.Status.ObservedGeneration >= rs.Generation && rs.Status.AvailableReplicas == replicas
}

// adoptPods goes as far in the adoption as d wants and as the controllers of Kubernetes
// have come. Each step finds out by itself whether it is done, so it goes on after a kill
// at any point, and each is seen to be done by a watch.
func (r *Reconciler) adoptPods(ctx context.Context, s *snapshot, d rollout.Decision) error {
	if d.Adopt == rollout.NoAdoption || s.Canary.Adopted {
		return nil
	}
	steps := []func(context.Context, *snapshot) (done bool, err error){
		r.pauseCanary, r.orphanPods, r.relabelPods, r.fillAdopter,
	}
	if d.Adopt == rollout.HandOver {
		steps = append(steps, r.handOver)
	}
	for _, step := range steps {
		if done, err := step(ctx, s); err != nil || !done {
			return err
		}
	}
	return nil
}

// pauseCanary pauses the canary Deployment: a paused one makes no ReplicaSet. It is done
// once the Deployment controller has seen that.
func (r *Reconciler) pauseCanary(ctx context.Context, s *snapshot) (done bool, err error) {
	if !s.canaryDep.Spec.Paused {
		s.canaryDep, err = r.patchDeployment(ctx, s.canaryDep, deploymentPatch{spec: map[string]any{"paused": true}})
		if err != nil {
			return false, err
		}
	}
	return s.canaryDep.Status.ObservedGeneration >= s.canaryDep.Generation, nil
}

// orphanPods deletes the ReplicaSet of the canary and leaves its pods. It is done once
// the garbage collector has taken the owner off the pods: then the ReplicaSet is gone.
func (r *Reconciler) orphanPods(ctx context.Context, s *snapshot) (done bool, err error) {
	var sets appsv1.ReplicaSetList
	of := client.MatchingLabels{spec.LabelRollout: rolloutOf(s.canaryDep)}
	if err := r.Live.List(ctx, &sets, client.InNamespace(s.dep.Namespace), of); err != nil {
		return false, fmt.Errorf("listing the ReplicaSets of canary %s/%s: %w", s.dep.Namespace, s.canaryDep.Name, err)
	}
	done = true
	for i := range sets.Items {
		if rs := &sets.Items[i]; metav1.IsControlledBy(rs, s.canaryDep) {
			done = false
			if err := r.orphan(ctx, rs); err != nil {
				return false, err
			}
		}
	}
	if done && s.adoption == nil {
		err = r.readAdoption(ctx, s)
	}
	return done, err
}

// sameTemplate says whether two templates are equal but for the hash label, which
// only the template of a ReplicaSet has. The API server set the defaults in both.
func sameTemplate(rs, dep corev1.PodTemplateSpec) bool {
	return apiequality.Semantic.DeepEqual(withoutHashLabel(rs), dep)
}

// orphan deletes rs and leaves its pods.
func (r *Reconciler) orphan(ctx context.Context, rs *appsv1.ReplicaSet) error {
	if rs.DeletionTimestamp != nil {
		return nil
	}
	err := r.Client.Delete(ctx, rs, client.Preconditions{UID: &rs.UID}, client.PropagationPolicy(metav1.DeletePropagationOrphan))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting ReplicaSet %s without its pods: %w", rs.Name, err)
	}
	return nil
}

// relabelPods gives the pods the labels of stable pods. The canary Service selects by
// labels that stay, so they are behind both Services.
func (r *Reconciler) relabelPods(ctx context.Context, s *snapshot) (done bool, err error) {
	want := map[string]any{appsv1.DefaultDeploymentUniqueLabelKey: adopterHash(s)}
	for key := range s.target.Track {
		want[key] = s.dep.Spec.Template.Labels[key]
	}
	for i := range s.adoption.pods {
		pod := &s.adoption.pods[i]
		if hasLabels(pod, want) {
			continue
		}
		if err := r.patchPod(ctx, pod, map[string]any{"labels": want, "ownerReferences": nil}); err != nil {
			return false, err
		}
	}
	return true, nil
}

func hasLabels(pod *corev1.Pod, want map[string]any) bool {
	for key, value := range want {
		if is, ok := pod.Labels[key]; !ok || is != value {
			return false
		}
	}
	return true
}

// unwatched is for writes of pods, and of what is read as metadata alone. To wait for such a
// write, the client would start an informer of all pods of the cluster: they would stay in
// memory.
const unwatched = client.DisableReadYourWritesConsistency

// patchPod merges fields into the metadata of pod. A pod that is gone is no error: its
// ReplicaSet replaces it.
func (r *Reconciler) patchPod(ctx context.Context, pod client.Object, fields map[string]any) error {
	fields = maps.Clone(fields)
	fields["uid"] = pod.GetUID() // or a pod of the same name; the kubelet writes the status all the time, so no resourceVersion
	patch, err := encodeMetadata(fields)
	if err != nil {
		return err
	}
	err = r.Client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), fieldOwner, unwatched)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the labels of Pod %s: %w", pod.GetName(), err)
	}
	return nil
}

// fillAdopter makes the ReplicaSet that takes the pods, with as many replicas as the
// Deployment wants. It is done once all are Available.
func (r *Reconciler) fillAdopter(ctx context.Context, s *snapshot) (done bool, err error) {
	want, err := r.newAdopter(ctx, s)
	if err != nil {
		return false, err
	}
	is := s.adoption.adopter
	switch {
	case is == nil:
		if err := r.removeOlder(ctx, s, want); err != nil {
			return false, err
		}
		if err := r.Client.Create(ctx, want, fieldOwner); err != nil {
			return false, fmt.Errorf("creating ReplicaSet %s: %w", want.GetName(), err)
		}
		return false, nil
	case is.DeletionTimestamp != nil || is.Annotations[spec.AnnotationAdoptedBy] != s.dep.Name:
		return false, nil
	case !sameTemplate(is.Spec.Template, s.dep.Spec.Template): // kubectl rollout restart, for example
		return false, r.orphan(ctx, is)
	case *is.Spec.Replicas != *s.dep.Spec.Replicas:
		return false, r.resizeAdopter(ctx, s, is)
	}
	return isSaturated(is, *s.dep.Spec.Replicas), nil
}

// newAdopter returns the ReplicaSet for the pods. Its own labels do not match the
// Deployment's selector, so that no controller takes it before it has the pods.
func (r *Reconciler) newAdopter(ctx context.Context, s *snapshot) (*unstructured.Unstructured, error) {
	template, err := r.liveTemplate(ctx, s.dep)
	if err != nil {
		return nil, err
	}
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.dep.Namespace, Name: adopterName(s),
		Labels: map[string]string{spec.LabelManagedBy: spec.ManagedBy},
		Annotations: map[string]string{
			spec.AnnotationAdoptedBy: s.dep.Name,
			annotationDesired:        strconv.Itoa(int(*s.dep.Spec.Replicas)),
			annotationMax:            strconv.Itoa(int(*s.dep.Spec.Replicas)),
		},
	}}
	s.target.Extra.AddTo(rs)
	rs.Spec.Replicas, rs.Spec.MinReadySeconds = s.dep.Spec.Replicas, s.dep.Spec.MinReadySeconds
	rs.Spec.Selector = metav1.CloneSelectorAndAddLabel(s.dep.Spec.Selector, appsv1.DefaultDeploymentUniqueLabelKey, adopterHash(s))
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	fields, err := fieldsOf(rs)
	if err != nil {
		return nil, err
	}
	rsSpec, _ := fields["spec"].(map[string]any)
	rsSpec["template"] = map[string]any(template.WithLabel(appsv1.DefaultDeploymentUniqueLabelKey, adopterHash(s)))
	return &unstructured.Unstructured{Object: fields}, nil
}

// removeOlder deletes a ReplicaSet without pods that the Deployment has of the same
// template, from an earlier rollout of it. The Deployment controller would take the older
// of the two for the new one. Its revisions go over to adopter, so that the history is
// the same as after a rolling update, which would have used the old one.
func (r *Reconciler) removeOlder(ctx context.Context, s *snapshot, adopter *unstructured.Unstructured) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := r.Live.List(ctx, list, client.InNamespace(s.dep.Namespace), client.MatchingLabels(s.dep.Spec.Selector.MatchLabels)); err != nil {
		return fmt.Errorf("listing the ReplicaSets of Deployment %s: %w", s.dep.Name, err)
	}
	wanted := templateOf(adopter).WithoutLabel(appsv1.DefaultDeploymentUniqueLabelKey)
	for i := range list.Items {
		rs := &list.Items[i]
		same := templateOf(rs).WithoutLabel(appsv1.DefaultDeploymentUniqueLabelKey).Equal(wanted)
		if !same || !metav1.IsControlledBy(rs, s.dep) {
			continue
		}
		if replicasOf(rs, "spec") > 0 || replicasOf(rs, "status") > 0 {
			return errStale // the template runs: the next pass sees it
		}
		annotations := adopter.GetAnnotations()
		for _, key := range []string{annotationRevision, annotationRevisionHistory} {
			if value, ok := rs.GetAnnotations()[key]; ok {
				annotations[key] = value
			}
		}
		adopter.SetAnnotations(annotations)
		uid, version := rs.GetUID(), rs.GetResourceVersion()
		err := r.Client.Delete(ctx, rs, client.Preconditions{UID: &uid, ResourceVersion: &version})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting ReplicaSet %s, whose template gets other pods: %w", rs.GetName(), err)
		}
	}
	return nil
}

// resizeAdopter follows the replicas of the Deployment, which a person or an autoscaler
// changed meanwhile.
func (r *Reconciler) resizeAdopter(ctx context.Context, s *snapshot, rs *appsv1.ReplicaSet) error {
	replicas := *s.dep.Spec.Replicas
	text := strconv.Itoa(int(replicas))
	return r.patchAdopter(ctx, rs, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{annotationDesired: text, annotationMax: text}},
		"spec":     map[string]any{"replicas": replicas},
	})
}

// patchAdopter merges patch into rs, if nobody wrote it since it was read.
func (r *Reconciler) patchAdopter(ctx context.Context, rs *appsv1.ReplicaSet, patch map[string]any) error {
	meta, _ := patch["metadata"].(map[string]any)
	meta["resourceVersion"] = rs.ResourceVersion
	data, err := encode(patch)
	if err != nil {
		return err
	}
	if err := r.Client.Patch(ctx, rs.DeepCopy(), client.RawPatch(types.MergePatchType, data), fieldOwner); err != nil {
		return fmt.Errorf("writing ReplicaSet %s: %w", rs.Name, err)
	}
	return nil
}

// handOver gives the ReplicaSet to the Deployment, if the Deployment still is as it was
// observed: a newer template or another size would make it an old ReplicaSet or one that
// is not saturated.
func (r *Reconciler) handOver(ctx context.Context, s *snapshot) (done bool, err error) {
	if _, err := r.confirmUnchanged(ctx, s.dep); err != nil {
		return false, err
	}
	rs := s.adoption.adopter
	labels := map[string]any{spec.LabelManagedBy: nil}
	for key, value := range rs.Spec.Template.Labels {
		labels[key] = value
	}
	owner := metav1.NewControllerRef(s.dep, appsv1.SchemeGroupVersion.WithKind("Deployment"))
	return true, r.patchAdopter(ctx, rs, map[string]any{"metadata": map[string]any{
		"labels": labels, "annotations": map[string]any{spec.AnnotationAdoptedBy: nil}, "ownerReferences": []metav1.OwnerReference{*owner},
	}})
}
