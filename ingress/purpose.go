package ingress

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
)

// purpose is what Headgate makes a Service and an Ingress for. Their names end
// with it: from the stable Ingress web come web-canary and web-preview. Anybody
// may edit labels and annotations but not a name, so the name alone tells the
// purpose of an own object.
type purpose string

const (
	// forCanary is the purpose of objects that take a part of the stable traffic.
	forCanary purpose = "canary"
	// forPreview is the purpose of objects that serve the preview host.
	forPreview purpose = "preview"
)

// purposes are all of them, in the order in which their objects are deleted.
var purposes = []purpose{forCanary, forPreview}

func (p purpose) suffix() string { return "-" + string(p) }

// objectName derives the name of an object from that of its stable one. limit is
// the longest name that the API server accepts for the kind.
//
//	web                 forCanary  63  web-canary
//	a... (57 letters)   forCanary  63  a... (47 letters) -f13b2d72-canary
//
// The second would be 64 characters long: it is cut, and the hash keeps two long
// names apart that differ only at their end.
func (p purpose) objectName(stable string, limit int) string {
	return rollout.DerivedName(stable, p.suffix(), limit)
}

// meta is the metadata of the object that is derived from the stable one.
func (p purpose) meta(t rollout.Target, stable string, limit int) metav1.ObjectMeta {
	meta := rollout.OwnedMeta(t.Deployment, p.objectName(stable, limit), t.Rollout)
	t.Extra.AddTo(&meta)
	return meta
}

// copies says whether an Ingress has a copy of this annotation of its stable
// Ingress. name is without the prefix of the dialect.
func (p purpose) copies(name string) bool {
	switch p {
	case forCanary:
		return slices.Contains(canaryUpstreamAnnotations, name)
	case forPreview:
		return copiedToPreview(name)
	}
	return false
}

// purposeOf returns the purpose of an own Ingress or Service. An Ingress with any
// other name counts as a canary Ingress, because that is what sends traffic to the
// canary pods.
func purposeOf(obj metav1.Object) purpose {
	if strings.HasSuffix(obj.GetName(), forPreview.suffix()) {
		return forPreview
	}
	return forCanary
}
