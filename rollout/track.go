package rollout

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headgate/headgate/rollout/spec"
)

const trackSuffix = "-canary"

// preferredTracks are tried in this order. The instance comes first because fewer
// NetworkPolicies select on it than on the name.
var preferredTracks = []string{
	"app.kubernetes.io/instance", "app.kubernetes.io/name", "app", "k8s-app",
}

// ChooseTrack picks the fewest pod labels whose values must differ on canary pods,
// so that canary pods match neither the Deployment's selector nor the selector of any
// Service: services are those of the Services that select the stable pods, others
// those of all other Services, by name. It returns the labels with the canary's
// values. Pod has the labels of the stable pods.
//
// If one of services selects on spec.LabelTrack, that key alone is taken; else
// preferred, the user's choice, unless it is ""; else a key of preferredTracks, then
// any key. It is an error if no choice keeps the pods apart.
//
// Example: pods {app: web, tier: front}, both selectors {app: web}: the result is
// {app: web-canary}. If another Service selects {app: web-canary}, the result is an
// error that names it: every choice that keeps canary pods from stable ones has that
// label. With both selectors {app: web, tier: front} it would be {tier: front-canary}.
func ChooseTrack(
	pod map[string]string, selector *metav1.LabelSelector,
	services []map[string]string, others map[string]map[string]string, preferred string,
) (map[string]string, error) {
	own, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("reading the Deployment's selector: %w", err)
	}
	selectors := []labels.Selector{own}
	for _, s := range services {
		selectors = append(selectors, labels.SelectorFromSet(s))
		if _, ok := s[spec.LabelTrack]; ok {
			preferred = spec.LabelTrack
		}
	}
	foreign := selectorsByName(others)
	var taken error // why the first choice that keeps canary pods from stable ones was not taken
	for track := range tracks(pod, preferred) {
		canary := canaryLabels(pod, track)
		if matchesAny(selectors, canary) {
			continue
		}
		i := slices.IndexFunc(foreign, func(s serviceSelector) bool { return s.Matches(canary) })
		if i < 0 {
			return track, nil
		}
		if taken == nil {
			taken = fmt.Errorf("canary pods would match the selector %s of Service %q: "+
				"change the selector, delete the Service, or name another label in %s",
				foreign[i].Selector, foreign[i].service, spec.AnnotationTrackLabel)
		}
	}
	switch {
	case taken != nil:
		return nil, taken
	case preferred != "":
		return nil, fmt.Errorf("canary pods would be selected as stable pods although their label %s differs, "+
			"because a selector does not use it: "+
			"name a label in %s on which the Deployment and all its Services select", preferred, spec.AnnotationTrackLabel)
	}
	return nil, fmt.Errorf("no choice of up to three pod labels keeps canary pods out of the Deployment's selector and of %d Services: "+
		"add a label to the pods on which all of them select, and name it in %s", len(services), spec.AnnotationTrackLabel)
}

// tracks yields what may be chosen, the best first: preferred alone, or, if that is "",
// every choice of one, two and three labels of pod.
func tracks(pod map[string]string, preferred string) iter.Seq[map[string]string] {
	return func(yield func(map[string]string) bool) {
		if preferred != "" {
			yield(trackOf(pod, []string{preferred}))
			return
		}
		keys := trackKeys(pod)
		for size := 1; size <= min(3, len(keys)); size++ {
			for _, some := range choose(keys, size) {
				if !yield(trackOf(pod, some)) {
					return
				}
			}
		}
	}
}

// trackKeys are the labels of pod, the preferred ones first.
func trackKeys(pod map[string]string) []string {
	keys := slices.Sorted(maps.Keys(pod))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}

func rank(key string) int {
	if i := slices.Index(preferredTracks, key); i >= 0 {
		return i
	}
	return len(preferredTracks)
}

func trackOf(pod map[string]string, keys []string) map[string]string {
	track := map[string]string{}
	for _, key := range keys {
		track[key] = TrackValue(pod[key])
	}
	return track
}

// TrackValue returns the value that a canary pod has where a stable pod has value:
// web-canary for web, canary for "".
func TrackValue(value string) string {
	// A label value has at most 63 characters and begins with a letter or digit.
	return strings.TrimPrefix(value[:min(len(value), 63-len(trackSuffix))]+trackSuffix, "-")
}

// IsTrackValue says whether value may be a TrackValue.
func IsTrackValue(value string) bool { return strings.HasSuffix(value, trackSuffix[1:]) }

// canaryLabels returns the labels of canary pods: those of stable pods, but for track.
func canaryLabels(pod, track map[string]string) labels.Set {
	canary := maps.Clone(pod)
	maps.Copy(canary, track)
	return canary
}

func matchesAny(selectors []labels.Selector, pod labels.Set) bool {
	return slices.ContainsFunc(selectors, func(s labels.Selector) bool { return s.Matches(pod) })
}

// serviceSelector is the selector of a Service.
type serviceSelector struct {
	service string
	labels.Selector
}

// selectorsByName returns the selectors of services, sorted by the name of the Service.
func selectorsByName(services map[string]map[string]string) []serviceSelector {
	all := make([]serviceSelector, 0, len(services))
	for _, name := range slices.Sorted(maps.Keys(services)) {
		all = append(all, serviceSelector{name, labels.SelectorFromSet(services[name])})
	}
	return all
}

// choose returns every choice of n of keys, in the order of keys.
func choose(keys []string, n int) [][]string {
	if n == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, key := range keys {
		for _, rest := range choose(keys[i+1:], n-1) {
			all = append(all, append([]string{key}, rest...))
		}
	}
	return all
}
