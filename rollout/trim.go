package rollout

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// annotationLastApplied holds the manifest of the last "kubectl apply", often the largest
// part of an object.
const annotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// TrimMeta removes from obj, which goes into a cache, the metadata that no part of
// Headgate reads: the managed fields and the manifest of the last "kubectl apply".
func TrimMeta(obj metav1.Object) {
	if obj.GetManagedFields() != nil {
		obj.SetManagedFields(nil)
	}
	// An object that is in the cache may be read at this moment, so it is written only
	// where it changes.
	if _, ok := obj.GetAnnotations()[annotationLastApplied]; ok {
		delete(obj.GetAnnotations(), annotationLastApplied)
	}
}
