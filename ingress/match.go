package ingress

import (
	"encoding/json"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// annotationMatch is on a canary Ingress and records what Headgate last wrote as its
// match: a spec.Match in JSON, e.g. {"header":"X-Canary","value":"beta"}. An Ingress
// that matches nothing does not have it.
const annotationMatch = "headgate.dev/match"

// matchOf returns the match that may be in force for ing. That is the recorded one,
// if there is one: where somebody edited the annotations that controllers read, a
// controller may not have seen the edit yet. Without a record it is what those
// annotations say.
func (d dialect) matchOf(ing *netv1.Ingress) spec.Match {
	var recorded spec.Match
	err := json.Unmarshal([]byte(ing.Annotations[annotationMatch]), &recorded)
	if err == nil && !recorded.None() {
		return recorded
	}
	m := spec.Match{
		Header:  ing.Annotations[d.key("canary-by-header")],
		Value:   ing.Annotations[d.key("canary-by-header-value")],
		Pattern: ing.Annotations[d.key("canary-by-header-pattern")],
		Cookie:  ing.Annotations[d.key("canary-by-cookie")],
	}
	switch {
	case m.Header == "":
		m.Value, m.Pattern = "", "" // without a header they have no effect
	case m.Value != "":
		m.Pattern = "" // controllers ignore it beside a value
	}
	return m
}

// writeMatch sets m in ing, which must have no match yet.
func (d dialect) writeMatch(ing *netv1.Ingress, m spec.Match) {
	if m.None() {
		return
	}
	record, _ := json.Marshal(m) // cannot fail: Match has only strings
	ing.Annotations[annotationMatch] = string(record)
	for name, value := range map[string]string{
		"canary-by-header":         m.Header,
		"canary-by-header-value":   m.Value,
		"canary-by-header-pattern": m.Pattern,
		"canary-by-cookie":         m.Cookie,
	} {
		if value != "" {
			ing.Annotations[d.key(name)] = value
		}
	}
}
