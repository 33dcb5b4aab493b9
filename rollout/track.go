package rollout

import (
	"fmt"
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
// so that canary pods match neither the Deployment's selector nor the selectors of
// services. It returns those labels with the canary's values. Pod has the labels of
// the stable pods.
//
// If a Service selects on spec.LabelTrack, that key alone is taken; else preferred,
// the user's choice, unless it is ""; else a key of preferredTracks, then any key.
// It is an error if the choice does not keep the pods apart.
//
// Example: pods {app: web, tier: front}, both selectors {app: web}: the result is
// {app: web-canary}.
func ChooseTrack(
	pod map[string]string, selector *metav1.LabelSelector, services []map[string]string, preferred string,
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
	if preferred != "" {
		if track := trackOf(pod, []string{preferred}); distinct(pod, track, selectors) {
			return track, nil
		}
		return nil, fmt.Errorf("canary pods would be selected as stable pods although their label %s differs, "+
			"because a selector does not use it: "+
			"name a label in %s on which the Deployment and all its Services select", preferred, spec.AnnotationTrackLabel)
	}
	keys := trackKeys(pod)
	for size := 1; size <= min(3, len(keys)); size++ {
		for _, some := range choose(keys, size) {
			if track := trackOf(pod, some); distinct(pod, track, selectors) {
				return track, nil
			}
		}
	}
	return nil, fmt.Errorf("no choice of up to three pod labels keeps canary pods out of the Deployment's selector and of %d Services: "+
		"add a label to the pods on which all of them select, and name it in %s", len(services), spec.AnnotationTrackLabel)
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
		value := pod[key]
		// A label value has at most 63 characters and begins with a letter or digit.
		track[key] = strings.TrimPrefix(value[:min(len(value), 63-len(trackSuffix))]+trackSuffix, "-")
	}
	return track
}

func distinct(pod, track map[string]string, selectors []labels.Selector) bool {
	canary := maps.Clone(pod)
	maps.Copy(canary, track)
	for _, s := range selectors {
		if s.Matches(labels.Set(canary)) {
			return false
		}
	}
	return true
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
