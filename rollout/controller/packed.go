package controller

import (
	"strconv"
	"strings"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// packedReplicaSet is a ReplicaSet in the cache. There are eleven of them for each
// Deployment of the cluster (revisionHistoryLimit is 10), so their size is the size of
// the cache: this takes 180 bytes, and a ReplicaSet whose fields are empty takes 1280.
//
// A read from the cache returns a deep copy, and the deep copy of a packedReplicaSet is a
// ReplicaSet; see unpack for what it has. A read with client.UnsafeDisableDeepCopy fails.
type packedReplicaSet struct {
	metav1.Object // nil: the methods that would change it panic

	owner unique.Handle[packedOwner]
	text  string // the parts, with a line feed between them

	revision, firstRevision int64
	wanted, actual          int32 // replicas in spec and status
}

// The parts of packedReplicaSet.text. One text takes less than five.
const (
	partName = iota
	partUID
	partResourceVersion
	partHash     // the label pod-template-hash
	partIdentity // of the template
	partCount
)

// packedOwner is what all ReplicaSets of one Deployment share.
type packedOwner struct{ namespace, apiVersion, kind, name, uid string }

// packReplicaSet packs rs, which has a controller and went through Slim.
func packReplicaSet(rs *appsv1.ReplicaSet) *packedReplicaSet {
	owner := metav1.GetControllerOfNoCopy(rs)
	parts := [partCount]string{
		partName: rs.Name, partUID: string(rs.UID), partResourceVersion: rs.ResourceVersion,
		partHash: rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey], partIdentity: replicaSetIdentity(rs),
	}
	return &packedReplicaSet{
		owner:         unique.Make(packedOwner{rs.Namespace, owner.APIVersion, owner.Kind, owner.Name, string(owner.UID)}),
		text:          strings.Join(parts[:], "\n"),
		revision:      parseRevision(rs.Annotations[annotationRevision]),
		firstRevision: firstRevision(rs),
		wanted:        ptr.Deref(rs.Spec.Replicas, 1),
		actual:        rs.Status.Replicas,
	}
}

// unpack returns the ReplicaSet with what is kept of it: its identity, its controller,
// its present and its first revision, its replicas, the label pod-template-hash, and the
// identity of its template as Slim leaves it. It has no selector and no template.
func (p *packedReplicaSet) unpack() *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.GetNamespace(), Name: p.GetName(), UID: p.GetUID(), ResourceVersion: p.GetResourceVersion(),
			OwnerReferences: p.GetOwnerReferences(), Labels: p.GetLabels(), Annotations: p.GetAnnotations(),
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: ptr.To(p.wanted)},
		Status: appsv1.ReplicaSetStatus{Replicas: p.actual},
	}
}

// DeepCopyObject implements runtime.Object.
func (p *packedReplicaSet) DeepCopyObject() runtime.Object { return p.unpack() }

// GetObjectKind implements runtime.Object.
func (p *packedReplicaSet) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// GetNamespace implements metav1.Object, like the methods after it.
func (p *packedReplicaSet) GetNamespace() string { return p.owner.Value().namespace }

func (p *packedReplicaSet) GetName() string { return p.part(partName) }

func (p *packedReplicaSet) GetUID() types.UID { return types.UID(p.part(partUID)) }

func (p *packedReplicaSet) GetResourceVersion() string { return p.part(partResourceVersion) }

func (p *packedReplicaSet) GetLabels() map[string]string {
	if hash := p.part(partHash); hash != "" {
		return map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	}
	return nil
}

func (p *packedReplicaSet) GetAnnotations() map[string]string {
	annotations := map[string]string{annotationTemplateIdentity: p.part(partIdentity)}
	if p.revision != 0 {
		annotations[annotationRevision] = formatRevision(p.revision)
	}
	if p.firstRevision != p.revision {
		annotations[annotationRevisionHistory] = formatRevision(p.firstRevision)
	}
	return annotations
}

func (p *packedReplicaSet) GetOwnerReferences() []metav1.OwnerReference {
	o := p.owner.Value()
	return []metav1.OwnerReference{{
		APIVersion: o.apiVersion, Kind: o.kind, Name: o.name, UID: types.UID(o.uid), Controller: ptr.To(true),
	}}
}

func (p *packedReplicaSet) part(i int) string {
	text := p.text
	for range i {
		_, text, _ = strings.Cut(text, "\n")
	}
	if i < partCount-1 {
		text, _, _ = strings.Cut(text, "\n")
	}
	return text
}

// The rest is not kept. Nothing reads it, but a library may ask.

func (p *packedReplicaSet) GetGenerateName() string { return "" }

func (p *packedReplicaSet) GetSelfLink() string { return "" }

func (p *packedReplicaSet) GetGeneration() int64 { return 0 }

func (p *packedReplicaSet) GetCreationTimestamp() metav1.Time { return metav1.Time{} }

func (p *packedReplicaSet) GetDeletionTimestamp() *metav1.Time { return nil }

func (p *packedReplicaSet) GetDeletionGracePeriodSeconds() *int64 { return nil }

func (p *packedReplicaSet) GetFinalizers() []string { return nil }

func (p *packedReplicaSet) GetManagedFields() []metav1.ManagedFieldsEntry { return nil }

func formatRevision(revision int64) string { return strconv.FormatInt(revision, 10) }
