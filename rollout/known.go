package rollout

import (
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// KnownTemplate is the last pod template of a Deployment that Headgate knows to be
// accounted for: it ran when the Deployment opted in, Headgate released it, or its
// bypass was reported. It is on record in a condition of the Deployment
// (spec.ConditionKnown). A status write raises no generation and is copied to no
// ReplicaSet, and the record outlives the manager. The zero value is no record.
//
// With it, a manager finds a template that rolled out completely while the webhook or
// the manager was away, when nothing is held and nothing rolls any more: the revision
// and the template both differ from the record. Neither alone would do.
//
//	what happened meanwhile            revision  template  reported
//	nothing                            same      same      no
//	a new template                     other     other     yes
//	kubectl rollout undo, not held     other     other     yes
//	kubectl rollout restart            other     same      no, unless restarts want a canary
//	a new template at 0 replicas       other     other     no: there was no traffic to split
//	scaling, pods replaced             same      same      no
//	a new template and back again      other     same      no: what runs is accounted for
//	a new version of Headgate, which
//	knows more fields of a template    same      other     no
//
// The record is never behind what Headgate does, and never ahead of what runs:
//
//   - Opting in and a first deployment: there is no record yet, so nothing is reported,
//     and the first look makes one.
//   - A release by Headgate, with or without a canary: the template is on record before
//     its hold goes. A kill between the two writes leaves a hold, and the next look
//     releases it. The revision is still the one before; the next look at rest records
//     the new one.
//   - A bypass that is reported: the report and the record are one write.
//   - The record is made only when the Deployment controller has acted on the spec, so
//     that the revision belongs to the template. A template that it has not acted on yet
//     is not recorded, and so it is found later.
//   - Opting out deletes the record: what goes out then needs no report. A Deployment
//     that opted out and in again while the manager was away counts as opted in all
//     the time, and what went out meanwhile is reported.
type KnownTemplate struct {
	Revision string // deployment.kubernetes.io/revision
	Template string // as Stable.Version
}

// String is the inverse of ParseKnownTemplate: "revision 5, template 1f2e3d4c5b6a7988".
func (k KnownTemplate) String() string {
	return fmt.Sprintf("revision %s, template %s", k.Revision, k.Template)
}

// ParseKnownTemplate returns the zero value for a text that String cannot have written:
// then there is no record.
func ParseKnownTemplate(text string) KnownTemplate {
	revision, template, ok := strings.Cut(strings.TrimPrefix(text, "revision "), ", template ")
	k := KnownTemplate{revision, template}
	if !ok || k.String() != text {
		return KnownTemplate{}
	}
	return k
}

// wentOutUnseen says whether a template that is not accounted for runs.
func (p *pass) wentOutUnseen() bool {
	s := p.Stable
	return p.settled() && s.TemplateRuns && s.Known != (KnownTemplate{}) &&
		s.Known.Revision != s.Revision && p.wanted(s.Known.Template) != p.wanted(s.Version)
}

// wanted is the part of a Version of which a change should have a canary. The record
// has all of it: the user may change headgate.dev/restart.
func (p *pass) wanted(version string) string {
	if p.Spec.Restart == spec.RestartCanary {
		return version
	}
	template, _, _ := strings.Cut(version, "/")
	return template
}

// settled says whether Revision belongs to the template of the spec: the Deployment
// controller has acted on it, and did not only hold it. While the annotations do not
// parse, it is not known what a new version is.
func (p *pass) settled() bool {
	s := p.Stable
	return p.SpecErr == nil && s.Hold == "" && s.Revision != "" && s.UpToDate && (s.TemplateRuns || s.Replicas == 0)
}

// record is what should be on record after d. nil: what is there.
func (p *pass) record(d Decision) *KnownTemplate {
	s := p.Stable
	is := KnownTemplate{s.Revision, s.Version}
	told := s.Hold == "" && d.Reason == reason.Bypassed
	switch {
	case !s.OptedIn:
		is = KnownTemplate{}
	case d.Hold == Release || told:
	case d.Canary != nil || !p.settled():
		return nil
	}
	if is == s.Known {
		return nil
	}
	return &is
}

// foundBypass explains a template that went out unseen.
func (p *pass) foundBypass() string {
	because := "it was not held (is the webhook registered?)"
	if p.Stable.Recreate {
		because = "strategy Recreate stops the old pods before there are new ones, so there is nothing to split"
	}
	return fmt.Sprintf("revision %s went out without a canary while Headgate did not look: %s", p.Stable.Revision, because)
}
