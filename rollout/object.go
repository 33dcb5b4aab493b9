package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// OwnedMeta is the metadata of every object that Headgate makes for rollout id. The
// object is in the namespace of owner and is collected with it.
//
// Nothing is copied from the user's objects: with their labels and annotations a
// GitOps, certificate or DNS tool would take the copy for its own, and a copied
// opt-in would put the canary itself on hold.
func OwnedMeta(owner *appsv1.Deployment, name, id string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: owner.Namespace,
		Name:      name,
		Labels:    map[string]string{spec.LabelManagedBy: spec.ManagedBy, spec.LabelRollout: id},
		Annotations: map[string]string{
			// Argo CD leaves out of its sync status what has an owner; these two
			// also cover an object that lost it, and spare refreshes.
			"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
			"argocd.argoproj.io/ignore-resource-updates": "true",
		},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: appsv1.SchemeGroupVersion.String(),
			Kind:       "Deployment",
			Name:       owner.Name,
			UID:        owner.UID,
			Controller: new(true),
			// true would need the right to update deployments/finalizers where
			// OwnerReferencesPermissionEnforcement is on, as on OpenShift.
			BlockOwnerDeletion: new(false),
		}},
	}
}

// Owns says whether Headgate made obj for owner. Both marks are needed: the label
// alone is easily copied, and a Deployment may own objects of other controllers.
func Owns(owner *appsv1.Deployment, obj metav1.Object) bool {
	return obj.GetLabels()[spec.LabelManagedBy] == spec.ManagedBy && metav1.IsControlledBy(obj, owner)
}

// DerivedName is name with suffix. A result longer than limit is cut and gets a
// hash of name, so that two long names which differ only at the end stay apart.
func DerivedName(name, suffix string, limit int) string {
	if len(name)+len(suffix) <= limit {
		return name + suffix
	}
	sum := sha256.Sum256([]byte(name))
	end := "-" + hex.EncodeToString(sum[:4]) + suffix
	return strings.TrimRight(name[:limit-len(end)], "-.") + end
}
