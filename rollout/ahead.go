package rollout

import "github.com/headgate/headgate/rollout/spec"

// StepAhead is one step of a rollout that has not begun, as it goes if nothing goes wrong.
type StepAhead struct {
	Step   spec.Step
	Added  bool       // Headgate puts it before what the user wrote
	Weight int        // of the canary at this step, in percent
	Match  spec.Match // what goes to the canary besides
	Pods   int32      // of the canary at this step
	Judged bool       // what comes after it needs a Pass
}

// Ahead returns the steps of a rollout of what the user wrote, where stable has so many
// replicas. plan is that of the analysis, nil without one.
func Ahead(wanted spec.Spec, replicas int32, plan *AnalysisPlan) []StepAhead {
	p := &pass{Observation: Observation{Spec: wanted, Plan: plan, Stable: Stable{Replicas: replicas}}}
	s := &p.state
	s.Mode, s.Baseline = ModeProgressing, replicas
	s.Steps, s.Lead = withLeadingWeight(wanted.Steps)
	var ahead []StepAhead
	for i, step := range s.Steps {
		s.Step = i
		size := p.canaryReplicas()
		p.Canary = &CanaryStatus{Replicas: size}
		s.Weight, s.Match = behaviours[step.Kind].weight(step, s.Weight), s.plannedMatch()
		ahead = append(ahead, StepAhead{
			Step: step, Added: s.Lead && step == spec.Step{Kind: spec.SetWeight}, Weight: s.Weight, Match: s.Match, Pods: size,
			Judged: plan != nil && p.measurable(*s) && (i+1 == len(s.Steps) || adds(s.Steps[i+1], s.Weight) || step.Kind == spec.RunAnalysis),
		})
	}
	return ahead
}
