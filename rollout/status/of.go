package status

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// reader makes one Status.
type reader struct {
	Objects
	out    Status
	wanted spec.Spec      // zero where the annotations do not parse
	state  *rollout.State // nil: there is none, or it cannot be read
	before string         // the rollout whose canary has to go before that of a newer template starts; "": none
}

// Of returns the Status of o.Deployment.
func Of(o Objects) Status {
	dep := o.Deployment
	r := &reader{Objects: o, out: Status{
		Schema: Schema, At: o.Now.UTC(), Namespace: dep.Namespace, Name: dep.Name,
		OptedIn: spec.OptedIn(dep.Annotations), Unread: o.Unread,
	}}
	r.readState()
	r.readCondition()
	r.readSpec()
	r.out.Phase = r.phase()
	r.readVersions()
	r.readSteps()
	r.readWeight()
	r.readAnalysis()
	r.readEvents()
	r.out.Deadlines = r.deadlines()
	r.out.Next = r.next()
	r.out.Actions, r.out.LookAt = r.actions(), r.lookAt()
	return r.out
}

// readCondition reads what the manager said last. What it said about an earlier rollout is
// no news of the one that is held now.
func (r *reader) readCondition() {
	c := conditionOf(r.Deployment, spec.ConditionType)
	if c == nil || isAboutAnother(c.Message, r.out.Rollout) {
		return
	}
	r.out.Reason, r.out.Message = reason.Reason(c.Reason), c.Message
	r.out.Since, r.out.Problem = timeOf(c.LastUpdateTime), c.Status == "False"
	if e, known := reason.Explain(r.out.Reason); known {
		r.out.Explained = e.Meaning
	}
}

// isAboutAnother says whether a message names a rollout that is not this one. "": there is
// none, and the last one may be told.
func isAboutAnother(message, rollout string) bool {
	text, begins := strings.CutPrefix(message, "rollout ")
	id, _, ends := strings.Cut(text, ": ")
	return begins && ends && rollout != "" && id != rollout
}

func conditionOf(dep *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range dep.Status.Conditions {
		if dep.Status.Conditions[i].Type == kind {
			return &dep.Status.Conditions[i]
		}
	}
	return nil
}

// readState reads the state of the rollout. The first state is on the canary, until there
// is one on the Deployment.
func (r *reader) readState() {
	r.out.Rollout = r.Deployment.Annotations[spec.AnnotationRollout]
	_, text, err := rollout.StoredState(r.Deployment)
	if err == nil && text == "" && r.Canary != nil {
		text = r.Canary.Annotations[spec.AnnotationState]
	}
	if err != nil || text == "" {
		if err != nil {
			r.unread("the state of the rollout", err)
		}
		return
	}
	state, err := rollout.DecodeState(text)
	if err != nil {
		// A newer manager may have written it.
		r.unread("the state of the rollout", err)
		return
	}
	if held := r.out.Rollout; held != "" && held != state.Rollout {
		r.before = state.Rollout
		return
	}
	r.state = &state
	r.out.Rollout = state.Rollout
}

func (r *reader) unread(what string, err error) {
	r.out.Unread = append(r.out.Unread, fmt.Sprintf("%s: %s", what, err))
}

// readSpec reads what the user wrote.
func (r *reader) readSpec() {
	if !r.out.OptedIn {
		return
	}
	r.out.Strategy = spec.Strategy(r.Deployment.Annotations[spec.AnnotationStrategy])
	wanted, err := spec.ParseSpec(r.Deployment.Annotations)
	if err == nil {
		r.wanted = wanted
		return
	}
	r.out.Problem = true
	r.out.Mistakes = mistakes(err)
}

// mistakes returns the text of each error that err joins.
func mistakes(err error) []string {
	var texts []string
	for _, fault := range spec.Faults(err) {
		texts = append(texts, fault.Error())
	}
	return texts
}

// phase prefers the annotation: the webhook and the manager write it together with what
// it is about.
func (r *reader) phase() Phase {
	written := Phase(r.Deployment.Annotations[spec.AnnotationPhase])
	switch {
	case written != "":
		return written
	case r.ending():
		return Promoting
	case r.out.OptedIn:
		return Idle
	}
	return Unmanaged
}

// ending says whether the template is released and the manager has not told the end yet: it
// tells it after the release, so for a moment there is neither a phase nor an end.
func (r *reader) ending() bool {
	e, known := reason.Explain(r.out.Reason)
	over := []reason.Kind{reason.Idle, reason.WithoutCanary, reason.WentBack}
	return r.state != nil && known && !slices.ContainsFunc(e.Kinds, func(k reason.Kind) bool { return slices.Contains(over, k) })
}

// readSteps marks how far the rollout is.
func (r *reader) readSteps() {
	steps, at := r.wanted.Steps, -1
	if r.state != nil && len(r.state.Steps) > 0 {
		steps, at = r.state.Steps, r.state.Step
	}
	for i, s := range steps {
		seen := Ahead
		switch {
		case i < at:
			seen = Done
		case i == at && r.atStep():
			seen = Now
		}
		r.out.Steps = append(r.out.Steps, Step{Number: i + 1, Kind: s.Kind, Text: s.String(), Seen: seen})
	}
	if r.atStep() {
		r.out.Step = r.present()
	}
}

// atStep says whether the rollout is going through its steps and has not done all.
func (r *reader) atStep() bool {
	s := r.state
	return s != nil && s.Mode == rollout.ModeProgressing && s.Step < len(s.Steps)
}

func (r *reader) present() *Present {
	s, step := r.state, r.state.Steps[r.state.Step]
	p := &Present{Number: s.Step + 1, Of: len(s.Steps), Text: step.String(), Since: s.StepSince.UTC()}
	if step.Kind == spec.Wait && !s.Paused {
		p.Until = pointer(s.StepSince.Add(step.Duration))
	}
	return p
}

// readWeight reads what the canary gets.
func (r *reader) readWeight() {
	if r.state == nil {
		return
	}
	w := &Weight{Granted: r.state.Weight, Besides: strings.TrimPrefix(r.state.Match.Besides(), ", besides ")}
	for _, s := range r.state.Steps[:min(r.state.Step+1, len(r.state.Steps))] {
		if s.Kind == spec.SetWeight {
			w.Planned = s.Weight
		}
	}
	if r.state.Mode == rollout.ModeRolledBack || r.state.Mode == rollout.ModeRetiring {
		w.Planned, w.Granted = 0, 0
	}
	if !r.state.InForce.IsZero() {
		w.InForce = pointer(r.state.InForce)
	}
	r.out.Weight = w
	keys := r.WeightKeys
	if len(keys) == 0 {
		keys = []string{nginxWeight}
	}
	for _, ing := range r.canaryIngresses() {
		route := Route{Ingress: ing.Name, Weight: weightIn(ing.Annotations, keys)}
		if w.Written == nil || route.Weight != nil && *route.Weight < *w.Written {
			w.Written = route.Weight
		}
		r.out.Routes = append(r.out.Routes, route)
	}
}
