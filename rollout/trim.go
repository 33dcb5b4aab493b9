package rollout

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// annotationLastApplied holds the manifest of the last "kubectl apply", often the largest
// part of an object.
const annotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// TrimMeta removes from obj, which goes into a cache, the metadata that no part of
// Headgate reads: the managed fields and the manifest of the last "kubectl apply".
func TrimMeta(obj metav1.Object) {
	obj.SetManagedFields(nil)
	delete(obj.GetAnnotations(), annotationLastApplied)
}
