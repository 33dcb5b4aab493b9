package ingress

import (
	"strings"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
func canaryName(stable string, limit int) string {
	return rollout.DerivedName(stable, canarySuffix, limit)
}

// previewName derives the name of an object that the preview host leads to.
func previewName(stable string, limit int) string {
	return rollout.DerivedName(stable, previewSuffix, limit)
}

// isPreview tells the previews among the Ingresses that Headgate made.
func isPreview(ing *netv1.Ingress) bool { return strings.HasSuffix(ing.Name, previewSuffix) }

// canaryMeta is the metadata of an object for the canary of t.
func canaryMeta(t rollout.Target, name string) metav1.ObjectMeta {
	return rollout.OwnedMeta(t.Deployment, name, t.Rollout)
}
