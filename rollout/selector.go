package rollout

import (
	"maps"
	"slices"
	"strings"
)

// identityKeys are the labels by which most selectors tell applications apart. Pods of
// one chart share some of them, so only all of them together tell two applications
// apart: a namespace may have a hundred pods with instance=shop, or with name=redis.
var identityKeys = []string{
	"app", "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/name", "k8s-app",
}

// SelectorKey returns the key by which an index finds a label selector: its pairs with
// identity keys, or else its first pair in alphabetical order. "" for an empty
// selector. The key belongs to LabelKeys of every set of labels that the selector
// matches, so an index by SelectorKey finds each selector that matches some labels, and
// an index by LabelKeys finds each set of labels that a selector matches. Both may find
// more: compare what was found.
//
//	app=web                      app=web
//	app=web, tier=front          app=web
//	name=web, instance=shop      instance=shop,name=web
//	tier=front, zone=a           tier=front
func SelectorKey(selector map[string]string) string {
	var pairs []string
	for _, key := range identityKeys {
		if value, ok := selector[key]; ok {
			pairs = append(pairs, LabelPair(key, value))
		}
	}
	if len(pairs) > 0 {
		return strings.Join(pairs, ",")
	}
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		return LabelPair(key, selector[key])
	}
	return ""
}

// LabelKeys returns the SelectorKey of every selector that can match labels: each
// choice of pairs with identity keys, and each other pair. There are few: with all five
// identity keys and five other labels 31 + 5.
//
// Example: app=web, k8s-app=web, tier=front has the keys "app=web", "k8s-app=web",
// "app=web,k8s-app=web" and "tier=front".
func LabelKeys(labels map[string]string) []string {
	var keys, identity []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pair := LabelPair(key, labels[key])
		if slices.Contains(identityKeys, key) {
			identity = append(identity, pair)
		} else {
			keys = append(keys, pair)
		}
	}
	for size := 1; size <= len(identity); size++ {
		for _, some := range choose(identity, size) {
			keys = append(keys, strings.Join(some, ","))
		}
	}
	return keys
}

// LabelPair is a label as it stands in an index: app=web.
func LabelPair(key, value string) string { return key + "=" + value }
