package rollout

import "github.com/headgate/headgate/rollout/spec"

// RoutesGoal is what should become of the canary routes: the canary Ingresses
// and what they carry. The zero value is NoRoutes, so a decision that forgets
// the routes sends all traffic to stable.
type RoutesGoal struct {
	Kind RoutesKind

	// Weight and Match are for SplitRoutes: every canary Ingress should carry
	// Weight percent of all requests, 0..100, and besides them those that match.
	Weight int
	Match  spec.Match
}

// RoutesKind says which of the three goals a RoutesGoal is.
type RoutesKind int

// The kinds of goals.
const (
	NoRoutes    RoutesKind = iota // no canary Ingress should exist
	KeepRoutes                    // whatever exists should stay as it is
	SplitRoutes                   // canary Ingresses should carry Weight and Match
)

// splitRoutes is the goal that canary Ingresses carry weight and match.
func splitRoutes(weight int, match spec.Match) RoutesGoal {
	return RoutesGoal{Kind: SplitRoutes, Weight: weight, Match: match}
}

// Reduced is the part of g that takes traffic away from the canary, for the write
// that comes before the decision is on record. It is false where g takes nothing
// away.
//
// Example: from weight 50 to weight 20 with a new header rule, the part is weight
// 20 with the old rules: the new rule gives traffic, and is not on record yet.
func (g RoutesGoal) Reduced(now Traffic) (RoutesGoal, bool) {
	if !now.Routed && !now.Previewed {
		return RoutesGoal{}, false
	}
	switch g.Kind {
	case NoRoutes:
		return g, true
	case SplitRoutes:
		if g.Weight >= now.Weight && !(g.Match.None() && !now.Match.None()) {
			return RoutesGoal{}, false
		}
		match := now.Match
		if g.Match.None() {
			match = g.Match
		}
		return splitRoutes(min(g.Weight, now.Weight), match), true
	case KeepRoutes:
	}
	return RoutesGoal{}, false
}

// Adds says whether g sends requests to the canary that do not go there now: a
// higher weight than the lowest that is written, or another match.
func (g RoutesGoal) Adds(now Traffic) bool {
	return g.Kind == SplitRoutes && (g.Weight > now.Lowest || g.Match != now.Match && !g.Match.None())
}
