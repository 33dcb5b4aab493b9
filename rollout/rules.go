package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/headgate/headgate/rollout/reason"
)

// RulesSeen is what was seen of the rules by which a rollout is judged. Rules are the text
// of an analysis, with the values of its parameters filled in; "" is no analysis.
//
// The rules of a rollout that has begun do not change: they are stored with its canary.
// What a person writes meanwhile counts for the next canary, which gets rules of its own.
type RulesSeen struct {
	// Began are the stored rules. "": there is no canary, the rollout began without an
	// analysis, or an earlier version of Headgate began it.
	Began    string
	BeganErr error // they cannot be read

	Now    string // as the annotation and its ConfigMap are now
	NowErr error  // they cannot be read
}

// Kept says whether the rollout is judged by the rules that it began with. Otherwise it is
// judged by those of now:
//
//   - Nothing is stored, so there is nothing to keep.
//   - Somebody removed the annotation, which asks for a rollout that is not judged.
//   - The stored rules cannot be read: another version of Headgate wrote them, or they ask a
//     provider that the operator has removed. Then a person can still correct them.
func (r RulesSeen) Kept() bool {
	return r.Began != "" && !r.removed() && (r.BeganErr == nil || r.NowErr != nil)
}

func (r RulesSeen) removed() bool { return r.Now == "" && r.NowErr == nil }

// Kinds of edit, besides the hash of other rules.
const (
	rulesRemoved    = "removed"
	rulesUnreadable = "unreadable"
)

// edit tells one edit of the rules from the next. "": there is none to tell. Rules that
// cannot be read are one edit, whatever is wrong: an API server that is hard to reach has a
// new error each time. If the stored rules cannot be read either, the condition says so.
func (r RulesSeen) edit() string {
	switch {
	case r.Began == "", r.NowErr != nil && r.BeganErr != nil, r.NowErr == nil && r.Now == r.Began:
		return ""
	case r.NowErr != nil:
		return rulesUnreadable
	case r.removed():
		return rulesRemoved
	}
	sum := sha256.Sum256([]byte(r.Now))
	return hex.EncodeToString(sum[:8])
}

// explain says what became of that edit.
func (r RulesSeen) explain() string {
	switch {
	case r.NowErr != nil:
		return fmt.Sprintf("this rollout keeps the rules that it began with, because the analysis cannot be read any more: %s", r.NowErr)
	case r.removed():
		return "the analysis was removed: this rollout goes on without it"
	case r.BeganErr != nil:
		return fmt.Sprintf("the analysis as it is now takes the place of the rules that this rollout began with, "+
			"because they cannot be read any more: %s", r.BeganErr)
	}
	return "the analysis was edited: this rollout keeps the rules that it began with, and the next one takes the new rules"
}

// noteEdit says once that the analysis was edited, and what becomes of that.
func (p *pass) noteEdit() {
	if p.SpecErr != nil {
		return // it is not known what the annotation says
	}
	edit := p.Rules.edit()
	if edit == p.state.EditTold {
		return
	}
	if p.state.EditTold = edit; edit != "" {
		p.note(reason.AnalysisEdited, "%s", p.Rules.explain())
	}
}
