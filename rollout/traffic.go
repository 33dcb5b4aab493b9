package rollout

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// Target is a Deployment whose traffic is split, and the labels that differ on its
// canary pods.
type Target struct {
	Deployment *appsv1.Deployment // the user's; never modified
	Spec       spec.Spec

	// Rollout is the value of LabelRollout on the canary pods. "" while no
	// rollout is held.
	Rollout string

	// Extra is for the metadata of every object that is made for the rollout.
	Extra ExtraMeta

	// Seen is Traffic.Version of the observation that is acted on.
	Seen string

	// Canary is the value of spec.LabelCanary on the canary pods. "": an earlier version
	// of Headgate made the canary, and they lack it.
	Canary string

	// Track holds the pod labels whose value differs on canary pods, with the
	// canary's value. Empty before the canary exists.
	Track map[string]string
}

// CanaryLabels returns the labels of the canary pods. Track must not be empty.
func (t Target) CanaryLabels() map[string]string {
	canary := canaryLabels(t.Deployment.Spec.Template.Labels, t.Track)
	canary[spec.LabelRollout] = t.Rollout
	if t.Canary != "" {
		canary[spec.LabelCanary] = t.Canary
	}
	return canary
}

// Traffic is what the router found: the Services and Ingresses to split, and how
// they are split now.
type Traffic struct {
	// Services and Ingresses are the stable ones that the rollout splits, by
	// name, sorted. Port is the port of the first backend, as written there.
	Services, Ingresses []string
	Port                string

	// WithoutCanary has those of Ingresses that have no canary Ingress now, or one
	// that is being deleted.
	WithoutCanary []string

	// Terminating has the canary Ingresses that are being deleted and still exist,
	// because something put finalizers on them.
	Terminating []string

	// CanaryService and CanaryIngress are the names of the canary's copies of the
	// first Service and the first Ingress, whether or not the copies exist.
	CanaryService, CanaryIngress string

	// Selectors are the selectors of every Service in the namespace that
	// selects the stable pods, split or not. Canary pods must match none.
	Selectors []map[string]string

	// OtherServices has the selector of every other Service in the namespace that
	// may select canary pods, by the name of the Service: those that select on a value
	// which Target.Track or a choice of ChooseTrack gives to a label. Canary pods must
	// match none of these either: the users of such a Service never asked for this
	// application. The Services that the router made for this Deployment are not among
	// them.
	OtherServices map[string]map[string]string

	// Sticky says that a router gives sessions to the users of a stable Ingress.
	Sticky bool

	// Problem is why the weights would not be true. nil: they are.
	Problem *Problem

	// PreviewRefused is why there is no preview although the Deployment asks for one:
	// it is not allowed, or the API server refuses it. The weights are true without
	// it. nil: nothing is wrong, or no preview is asked for.
	PreviewRefused *Problem

	// Routed says that at least one canary Ingress of this Deployment exists.
	Routed bool

	// Weight is the highest weight that any canary Ingress may carry, 0..100.
	// Lowest is the lowest weight that one of them has: lower than Weight where
	// somebody edited it.
	Weight, Lowest int

	// Highest is the highest weight that one of them has. It is lower than Weight
	// where somebody lowered all of them.
	Highest int

	// Match is what the canary Ingresses match. If they differ, it is the match of
	// the first one that matches something.
	Match spec.Match

	// Previewed says that the preview Ingress exists. Routed does not count it.
	Previewed bool

	// Current says that every canary Ingress that should exist does, is derived
	// from its stable Ingress as that is now, belongs to Target.Rollout, and
	// carries Weight and Match. The preview does not count.
	Current bool

	// Version changes whenever a canary Ingress is written.
	Version string

	// Since is when a canary Ingress was last written to change its weight or its rules:
	// the settle time counts from here. Zero when not Routed.
	Since time.Time
}

// isAt says whether weight and match are what is written.
func (t Traffic) isAt(weight int, match spec.Match) bool {
	return t.Routed && t.Current && t.Weight == weight && t.Match == match
}
