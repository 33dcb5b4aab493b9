package ingress

import (
	"encoding/json"

	netv1 "k8s.io/api/networking/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// annotationMatch is on a canary Ingress and says what it matches, as Headgate
// last wrote it: a rollout.Match in JSON. None matches nothing.
const annotationMatch = "headgate.dev/match"

// matchOf returns what ing may be matching: what was recorded, which may still be
// in force where somebody removed or edited the annotations that controllers read,
// or else what these say.
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
		m.Value, m.Pattern = "", "" // of which header?
	case m.Value != "":
		m.Pattern = "" // controllers look at the value alone
	}
	return m
}

// writeMatch puts m into ing, which matches nothing yet.
func (d dialect) writeMatch(ing *netv1.Ingress, m spec.Match) {
	if m.None() {
		return
	}
	record, _ := json.Marshal(m) // strings always encode
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
