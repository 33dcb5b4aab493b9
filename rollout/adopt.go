package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// AdoptGoal says how far the adoption of the canary's pods should go.
//
//	canary: paused, its        pods: labels      ReplicaSet of       it belongs to
//	ReplicaSet orphaned        of stable         these pods          the Deployment
//	──────────┼────────────────────┼─────────────────┼──────────────────────┼────────────►
//	          │◄──────────────── Prepare ───────────►│◄─────HandOver ──────►│ old pods go
//	          the pods have no owner; nothing        all Available          template released
//	          replaces one that dies                                        routes deleted
type AdoptGoal int

// The goals.
const (
	NoAdoption AdoptGoal = iota
	PrepareAdoption
	HandOver
)

// AdoptionCheck is the result of the checks that cost writes to the API server, though
// only tried ones.
type AdoptionCheck struct {
	// Unfit is why the pods cannot be adopted. "": they can.
	Unfit string

	// PreStop says that every old pod serves on for a while when it is told to end.
	PreStop bool
}

// awaitPromotion is nil once the promotion may begin. Where the canary's pods are to
// become stable's, there must be as many as stable has.
func (p *pass) awaitPromotion() *Decision {
	switch {
	case p.state.Paused:
		return p.waitAtStep(reason.PausedByCommand, "paused by command, until: "+p.annotate(spec.VerbResume))
	case p.SpecErr != nil:
		return p.waitAtStep(reason.InvalidAnnotation, p.SpecErr.Error())
	case p.unfitToAdopt() == "":
		if waiting := p.awaitFullSize(); waiting != nil {
			return waiting
		}
	}
	if waiting := p.awaitPass(); waiting != nil {
		return waiting
	}
	if p.rollingBecause() == "" || p.Stable.UpdateGap == "" {
		return nil
	}
	return p.waitAtStep(reason.UpdateGap, fmt.Sprintf("the template is not released, because %s: "+
		"set maxUnavailable to 0 in the strategy of the Deployment, or accept that no pod may serve for a while: %s",
		p.Stable.UpdateGap, p.annotate(spec.VerbPromoteFull)))
}

// awaitFullSize lets the canary grow to the size of stable. It gives up where pods have
// no room, at the deadline, and where a person does not want to wait.
func (p *pass) awaitFullSize() *Decision {
	need, deadline := p.Stable.Replicas, p.deadline(p.state.StepSince)
	if p.canaryAvailable() >= need || p.Canary.Trouble != "" || p.state.Skipped || !deadline.After(p.Now) {
		return nil
	}
	d := p.stay(reason.CanaryStarting, fmt.Sprintf("waiting for %s to be Available: they become the pods of the Deployment", canaryPods(need)))
	d.Canary.Replicas = max(d.Canary.Replicas, need)
	d.Again = Earliest(Earliest(d.Again, deadline), p.Now.Add(recheck))
	return &d
}

// unfitToAdopt is why no number of canary pods could become pods of the Deployment. "":
// they could.
func (p *pass) unfitToAdopt() string {
	switch {
	case p.Spec.Promotion == spec.PromotionRolling:
		return spec.AnnotationPromotion + " says so"
	case p.Canary.Replicas > p.Stable.Replicas:
		return fmt.Sprintf("the canary has %s, and the Deployment wants %d", canaryPods(p.Canary.Replicas), p.Stable.Replicas)
	}
	return p.Stable.NotAdoptable
}

// rollingBecause is why the promotion is a rolling update. "": it is an adoption, as far
// as is known.
func (p *pass) rollingBecause() string {
	switch why := p.unfitToAdopt(); {
	case why != "":
		return why
	case p.canaryAvailable() < p.Stable.Replicas:
		return fmt.Sprintf("%d of %s are Available%s", p.canaryAvailable(), canaryPods(p.Stable.Replicas), p.trouble())
	case p.AdoptionCheck != nil:
		return p.AdoptionCheck.Unfit
	}
	return ""
}

// beginPromotion chooses how the new version becomes stable. The choice is recorded as
// the mode.
func (p *pass) beginPromotion() {
	p.state.StepSince = p.Now
	switch why := p.rollingBecause(); {
	case why == "":
		p.unchecked.Adoption = p.AdoptionCheck == nil
		p.state.Mode, p.state.PreStop = ModeAdopting, p.AdoptionCheck != nil && p.AdoptionCheck.PreStop
	default:
		p.state.Mode = ModePromoting
		if p.Spec.Promotion != spec.PromotionRolling && p.state.Step == len(p.state.Steps) { // or a person is in a hurry
			p.note(reason.RollingInstead, "the promotion is a rolling update, because %s", why)
		}
	}
}

// adopt makes the canary's pods pods of the Deployment. Nothing of it moves traffic: the
// pods stay behind the canary Service, and come behind the stable one besides.
func (p *pass) adopt() Decision {
	overdue := !p.deadline(p.state.StepSince).After(p.Now)
	switch {
	case p.Canary.Adopted && p.Stable.Updated:
		p.state.Mode, p.state.Adopted, p.state.StepSince = ModeReturning, true, p.Now
		return p.bringBack()
	case p.Canary.Adopted && (overdue || p.Stable.Hold == ""):
		p.state.Mode, p.state.Adopted = ModePromoting, true
		return p.promote()
	case p.Stable.Hold == "":
		p.note(reason.RollingInstead, "the promotion goes on as a rolling update: somebody else released the template")
		p.state.Mode = ModePromoting
		return p.promote()
	case overdue:
		p.note(reason.RollingInstead, "the promotion goes on as a rolling update: the canary's pods did not become pods of the Deployment in %s",
			spec.FormatDuration(p.progressDeadline()))
		p.state.Mode = ModePromoting
		return p.promote()
	}
	if !p.Traffic.Routed || p.canaryAvailable() == 0 {
		p.state.grant(0, spec.Match{})
	}
	d := p.stay(reason.Adopting, p.state.whyReleased()+": the canary's pods become the pods of the Deployment")
	d.Phase, d.Canary.Replicas = spec.Promoting, p.Canary.Replicas
	d.Adopt, d.Again = PrepareAdoption, p.deadline(p.state.StepSince)
	if p.Canary.Filled {
		at := p.handOverAt()
		d.Again = Earliest(d.Again, ifAfter(at, p.Now))
		if !at.After(p.Now) {
			d.Adopt = HandOver
		}
	}
	return d
}

// handOverAt is when the old pods may go, all at once: when routers send them nothing
// any more, or at weights below 100 when routers know the adopted pods too. Pods with a
// preStop hook may go at any time: they serve on until routers know.
func (p *pass) handOverAt() time.Time {
	switch {
	case p.state.PreStop:
		return p.Now
	case p.Traffic.Lowest == 100 && p.Traffic.isAt(100, p.state.Match):
		return p.settlesAt()
	}
	return latest(p.Canary.FilledSince, p.SteadySince).Add(p.Settle)
}
