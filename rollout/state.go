package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// State is what a rollout must remember. It is stored in a condition of the user's
// Deployment (spec.ConditionState), in the same write as the condition that a person
// reads. A write to the status raises no generation and is copied to no ReplicaSet, so
// no other controller writes after it. An annotation would make the Deployment
// controller write three times, and `kubectl rollout undo` would bring it back. The
// canary Deployment is created with the first state in an annotation
// (spec.AnnotationState), because a status cannot be created. That one counts until
// there is a condition that is about this canary.
type State struct {
	// Form is stateForm. An older Headgate does not know this field, and so it refuses the
	// state. Otherwise it would take the first state, on the canary, for the present one.
	Form int `json:"form,omitempty"`

	Rollout  string `json:"rollout"`  // value of AnnotationRollout that it is about
	Template string `json:"template"` // fingerprint of the pod template it is about
	Mode     Mode   `json:"mode"`

	// Steps are those the rollout began with: an edit of the annotation counts
	// from the next rollout on, because an index into one list means nothing in
	// another.
	Steps []spec.Step `json:"steps"`
	Step  int         `json:"step"` // index into Steps; len(Steps): all done

	StepSince time.Time `json:"stepSince"` // when Step began
	Baseline  int32     `json:"baseline"`  // stable replicas when the rollout began

	// Began is when the rollout did. Its deadline counts from here.
	Began time.Time `json:"began,omitzero"`

	// Lead says that a weight of 0 was put before what the user wrote.
	Lead bool `json:"lead,omitempty"`

	// Routed says that canary routes may have existed. It is stored before they
	// are made, so that canary pods outlive them whatever happens.
	Routed bool `json:"routed,omitempty"`

	// CanaryTemplate is the fingerprint of the canary's pod template as it was first
	// seen. Admission may add to what Headgate wrote, so it is not Template.
	CanaryTemplate string `json:"canaryTemplate,omitempty"`

	// PreviewDropped says that the rollout goes on without its preview, and that this
	// was told.
	PreviewDropped bool `json:"previewDropped,omitempty"`

	// EditTold is the edit of the analysis that was told last, as RulesSeen.edit.
	EditTold string `json:"editTold,omitempty"`

	// Split has the stable Ingresses whose canary Ingress was in force with the
	// present weight. One that is missing afterwards was taken away.
	Split []string `json:"split,omitempty"`

	Weight  int        `json:"weight,omitempty"` // granted
	Match   spec.Match `json:"match,omitzero"`   // granted
	InForce time.Time  `json:"inForce,omitzero"` // since when; zero: not yet
	Tally   Tally      `json:"tally,omitzero"`

	// Warnings is what was reported before the canary started and stays true.
	Warnings Warnings `json:"warnings,omitzero"`

	// PreStop is AdoptionCheck.PreStop, from when the adoption began.
	PreStop bool `json:"preStop,omitempty"`

	// Adopted says that the canary's pods are pods of the Deployment by now.
	Adopted bool `json:"adopted,omitempty"`

	Losses  int  `json:"losses,omitempty"`  // times that no canary pod was left
	Paused  bool `json:"paused,omitempty"`  // by command
	Skipped bool `json:"skipped,omitempty"` // a person ended the wait of Step

	// JobPassed says that the result of the Job of Step satisfies its condition, and that
	// this was told.
	JobPassed bool `json:"jobPassed,omitempty"`

	// Hurried says that a person ended the wait of a promotion for its last pods.
	Hurried bool `json:"hurried,omitempty"`

	// CommandTaken is the command that is (still) on the Deployment and whose
	// effect is already in here, so that a kill between the two writes does not
	// carry it out twice.
	CommandTaken string `json:"commandTaken,omitempty"`

	Why     reason.Reason `json:"why,omitempty"` // it ended early
	Message string        `json:"message,omitempty"`

	// Evidence is what the judge knows of the rollout. Only the judge reads it.
	Evidence string `json:"evidence,omitempty"`

	// DrainSince is when the canary routes were first seen to be gone.
	DrainSince time.Time `json:"drainSince,omitzero"`
}

// Tally is what the measurements at the present weight have said, and how many
// failures there were in the rollout.
type Tally struct {
	At           time.Time `json:"at,omitzero"`
	Last         Verdict   `json:"last,omitempty"`
	Shown        bool      `json:"shown,omitempty"` // the last one was a Pass that was shown
	Failures     int       `json:"failures,omitempty"`
	Inconclusive int       `json:"inconclusive,omitempty"` // in a row
	Errors       int       `json:"errors,omitempty"`       // in a row

	// WouldFail says that the last measurement had a metric that is only tried and fails.
	WouldFail bool `json:"wouldFail,omitempty"`

	// Told is the last verdict that was an event: the next one of the same kind is no
	// news, at any weight.
	Told Verdict `json:"told,omitempty"`

	// Ignored is since when every measurement that had an answer found that the
	// router ignores the canary. Zero: the last one did not.
	Ignored time.Time `json:"ignored,omitzero"`
}

// Mode is what Headgate does with a canary: it decides which rules apply. It is
// stored and is for Headgate's own use. spec.Phase is for people and scripts: it
// is on the user's Deployment, and a rollout without a canary has one too.
type Mode string

// The modes.
const (
	ModeProgressing Mode = "Progressing" // the canary goes through the steps
	ModeAdopting    Mode = "Adopting"    // its pods become stable's; then the template is released
	ModePromoting   Mode = "Promoting"   // released: stable becomes the new version
	ModeReturning   Mode = "Returning"   // stable is the new version: its traffic comes back
	ModeRolledBack  Mode = "RolledBack"  // the traffic goes away, the hold stays
	ModeRetiring    Mode = "Retiring"    // the canary serves no purpose any more
)

// stateForm is raised when an older Headgate would misunderstand a state.
const stateForm = 2

// Encode is the inverse of DecodeState.
func (s State) Encode() (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

// DecodeState reads a stored state. One that could not have been stored is
// refused, never repaired: a guessed step may be a weight nobody approved.
func DecodeState(text string) (State, error) {
	var stored struct{ Form int }
	if json.Unmarshal([]byte(text), &stored) == nil && stored.Form > stateForm {
		return State{}, fmt.Errorf("a newer Headgate stored it: it has form %d, and this one reads up to form %d", stored.Form, stateForm)
	}
	var s State
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return State{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return State{}, errors.New("there is text after the state")
	}
	if err := s.validate(); err != nil {
		return State{}, err
	}
	return s, nil
}

func (s State) validate() error {
	modes := []Mode{ModeProgressing, ModeAdopting, ModePromoting, ModeReturning, ModeRolledBack, ModeRetiring}
	switch {
	case !slices.Contains(modes, s.Mode):
		return fmt.Errorf("mode %q is unknown", s.Mode)
	case s.Rollout == "":
		return fmt.Errorf("rollout is missing")
	case s.Step < 0 || s.Step > len(s.Steps):
		return fmt.Errorf("step %d of %d", s.Step, len(s.Steps))
	case s.Mode == ModeProgressing && s.Began.IsZero():
		return fmt.Errorf("the time when it began is missing")
	case s.Baseline < 0:
		return fmt.Errorf("baseline %d is negative", s.Baseline)
	case !s.reachedWeight(s.Weight):
		return fmt.Errorf("weight %d is not a weight of %s up to step %d", s.Weight, spec.FormatSteps(s.Steps), s.Step)
	case !s.reachedMatch(s.Match):
		return fmt.Errorf("no step up to step %d has its header or cookie", s.Step)
	case len(s.Steps) == 0 && s.Mode != ModeProgressing:
		return nil // there are no steps: this replaced a state that could not be read
	}
	return spec.CheckSteps(s.Steps)
}

// presentStep is the step that the rollout is at, or the zero Step when all are done.
func (s State) presentStep() spec.Step {
	if s.Step >= len(s.Steps) {
		return spec.Step{}
	}
	return s.Steps[s.Step]
}

// reachedSteps are the steps up to and including the present one.
func (s State) reachedSteps() []spec.Step { return s.Steps[:min(s.Step+1, len(s.Steps))] }

// hasTraffic says whether requests of users may come to the canary.
func (s State) hasTraffic() bool { return s.Weight > 0 || !s.Match.None() }

// hadRoutes says whether the canary has traffic, or its routes were in force. From
// then on the absence of routes means that the traffic was taken away, by Headgate
// just before it was killed or by a person, and never that the routes are still to
// be made.
func (s State) hadRoutes() bool { return s.hasTraffic() || !s.InForce.IsZero() }

// granted says whether the canary has the traffic that the steps up to the present
// one give it.
func (s State) granted() bool {
	step := s.presentStep()
	if step.Kind == "" {
		return s.Match == s.plannedMatch()
	}
	return behaviours[step.Kind].granted(s, step)
}

// Granted says whether the canary has the traffic that the steps up to the present one
// give it, and the present step waits for neither pods nor routes.
func (s State) Granted() bool {
	kind := s.presentStep().Kind
	return s.granted() && (kind == "" || !behaviours[kind].moves() || !s.InForce.IsZero())
}

// grant gives the canary other traffic, about which nothing is known yet.
func (s *State) grant(weight int, match spec.Match) {
	s.Weight, s.Match = weight, match
	s.InForce = time.Time{}
	s.Tally = Tally{Failures: s.Tally.Failures, Told: s.Tally.Told}
}

// plannedMatch is what the steps up to the present one match: the last header and
// the last cookie that they name.
func (s State) plannedMatch() spec.Match { return matchAfter(s.reachedSteps()) }

func matchAfter(steps []spec.Step) spec.Match {
	var m spec.Match
	for _, step := range steps {
		m = behaviours[step.Kind].match(step, m)
	}
	return m
}

// plannedScale is what the last of the steps up to the present one says about the
// size of the canary.
func (s State) plannedScale() spec.Scale {
	var c spec.Scale
	for _, step := range s.reachedSteps() {
		c = behaviours[step.Kind].scale(step, c)
	}
	return c
}

// reachedWeight says whether one of the steps up to the present one sets weight.
func (s State) reachedWeight(weight int) bool {
	return weight == 0 || slices.Contains(s.reachedSteps(), spec.Step{Kind: spec.SetWeight, Weight: weight})
}

// reachedMatch says whether one of the steps up to the present one, together with
// those before it, matches m. The traffic of the present step may wait for pods.
func (s State) reachedMatch(m spec.Match) bool {
	steps := s.reachedSteps()
	for n := range len(steps) {
		if matchAfter(steps[:n+1]) == m {
			return true
		}
	}
	return m.None()
}

// superseded says whether s is about another template than the one held. The
// fingerprint finds a change that no webhook gave a new rollout.
func (s State) superseded(stable Stable) bool {
	return stable.Hold != "" && (stable.Hold != s.Rollout || stable.Template != s.Template)
}
