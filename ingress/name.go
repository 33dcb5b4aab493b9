package ingress

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// The longest names that the API server accepts: a Service's is a DNS label, an
// Ingress's a DNS subdomain.
const (
	serviceNameLimit = 63
	ingressNameLimit = 253
)

// By its end the name of an object of ours says what it is for, and nobody can
// edit a name.
const (
	canarySuffix  = "-canary"
	previewSuffix = "-preview"
)

// canaryName derives the name of a canary object.
func canaryName(stable string, limit int) string { return derivedName(stable, canarySuffix, limit) }

// previewName derives the name of an object that the preview host leads to.
func previewName(stable string, limit int) string { return derivedName(stable, previewSuffix, limit) }

// derivedName appends suffix. A name that would be longer than limit is cut and
// carries a hash of the whole, so that two long names which differ only at the end
// stay apart.
func derivedName(stable, suffix string, limit int) string {
	if len(stable)+len(suffix) <= limit {
		return stable + suffix
	}
	sum := sha256.Sum256([]byte(stable))
	end := "-" + hex.EncodeToString(sum[:4]) + suffix
	return strings.TrimRight(stable[:limit-len(end)], "-.") + end
}

// ours says whether Headgate made obj for dep. Both marks are needed: the label
// alone is easily copied, and a Deployment may own objects of other controllers.
func ours(obj client.Object, dep *appsv1.Deployment) bool {
	return obj.GetLabels()[rollout.LabelManagedBy] == rollout.ManagedBy && metav1.IsControlledBy(obj, dep)
}

// isPreview tells the previews among the Ingresses that Headgate made.
func isPreview(ing *netv1.Ingress) bool { return strings.HasSuffix(ing.Name, previewSuffix) }

// canaryMeta is the metadata of an object for the canary: an allow-list, since whatever
// is copied from the stable one makes a GitOps, certificate or DNS tool take the
// copy for its own.
func canaryMeta(t rollout.Target, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: t.Deployment.Namespace,
		Name:      name,
		Labels: map[string]string{
			rollout.LabelManagedBy: rollout.ManagedBy,
			rollout.LabelRollout:   t.Rollout,
		},
		Annotations: map[string]string{
			// Argo CD leaves out of its sync status what has an owner; these two
			// also cover an object that lost it, and spare refreshes.
			"argocd.argoproj.io/compare-options":         "IgnoreExtraneous",
			"argocd.argoproj.io/ignore-resource-updates": "true",
		},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: appsv1.SchemeGroupVersion.String(),
			Kind:       "Deployment",
			Name:       t.Deployment.Name,
			UID:        t.Deployment.UID,
			Controller: new(true),
			// true would need the right to update deployments/finalizers where
			// OwnerReferencesPermissionEnforcement is on, as on OpenShift.
			BlockOwnerDeletion: new(false),
		}},
	}
}
