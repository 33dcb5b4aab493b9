package rollout_test

import (
	"fmt"
	"slices"
	"testing"

	kubelabels "k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
)

// Whatever a selector matches, an index by its key finds.
func TestSelectorKeyIsALabelKeyOfWhatItMatches(t *testing.T) {
	keys := []string{
		"app", "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/name", "k8s-app", "tier", "zone", "a",
	}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.MapOf(rapid.SampledFrom(keys), rapid.SampledFrom([]string{"", "web", "shop"}))
		pod, selector := some.Draw(t, "pod"), some.Draw(t, "selector")
		for key := range selector {
			if value, ok := pod[key]; ok && rapid.Bool().Draw(t, "same") {
				selector[key] = value
			}
		}
		matches := len(selector) > 0 && kubelabels.SelectorFromSet(selector).Matches(kubelabels.Set(pod))
		if matches && !slices.Contains(rollout.LabelKeys(pod), rollout.SelectorKey(selector)) {
			t.Fatalf("key %q of %v is none of %v", rollout.SelectorKey(selector), selector, rollout.LabelKeys(pod))
		}
	})
}

// Applications of one chart, and instances of one application, have keys of their own.
func TestSelectorKeyTellsApplicationsApart(t *testing.T) {
	const name, instance = "app.kubernetes.io/name", "app.kubernetes.io/instance"
	seen := map[string]bool{}
	for n := range 10 {
		one := fmt.Sprint("one-", n)
		for _, selector := range []map[string]string{
			{name: one, instance: "shop"}, {name: "redis", instance: one}, {"app": one, "tier": "front"},
		} {
			key := rollout.SelectorKey(selector)
			if seen[key] {
				t.Errorf("%v shares key %q", selector, key)
			}
			seen[key] = true
		}
	}
	if got := len(rollout.LabelKeys(map[string]string{
		"app": "1", "app.kubernetes.io/component": "2", instance: "3", name: "4", "k8s-app": "5",
		"a": "6", "b": "7", "c": "8", "d": "9", "e": "10",
	})); got != 36 {
		t.Errorf("%d keys, want 31 + 5", got)
	}
}
