package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// snapshot is an observation and the objects that it was made from.
type snapshot struct {
	rollout.Observation
	target          rollout.Target
	dep             *appsv1.Deployment
	canaryDep       *appsv1.Deployment // nil: there is none
	condition       *appsv1.DeploymentCondition
	canaryJobs      canaryJobs
	adoption        *adoption     // nil: the pods of the canary are its own
	leftovers       bool          // there are canary routes or Services, and no canary Deployment
	analysis        Analysis      // in force; nil: there is none, or it cannot be read
	previewErr      error         // why the preview could not be written
	early           bool          // the condition may be told together with the state
	told            bool          // it was; the event is still to come
	freeScaleDownAt time.Time     // when to free the autoscalers that freeScaleDown left held; zero: never
	looked          time.Duration // when Now was read, by the clock that nobody can set
	startCheckAt    time.Time     // when checkStart checks again what it found in the way; zero: not again
}

// observe reads what a decision on one Deployment depends on. It returns nil, nil
// where there is nothing to decide: the Deployment is gone, has nothing to do with
// Headgate, or is being deleted. In the last case the garbage collector deletes the
// canary too, and must not race with a manager that creates a new one.
func (r *Reconciler) observe(ctx context.Context, key types.NamespacedName) (*snapshot, error) {
	dep := &appsv1.Deployment{}
	if err := r.Client.Get(ctx, key, dep); err != nil || dep.DeletionTimestamp != nil {
		return nil, client.IgnoreNotFound(err)
	}
	s := &snapshot{dep: dep, condition: conditionOf(dep)}
	s.Settle, s.Drain = r.Settle, r.Drain
	r.look(ctx, s)
	s.Spec, s.SpecErr = spec.ParseSpec(dep.Annotations)
	s.readCommand()
	if err := r.observeCanary(ctx, s); err != nil {
		return nil, err
	}
	if !isRelevant(dep) && s.withoutCanary() {
		return nil, nil
	}
	if err := r.readWhole(ctx, s); err != nil {
		return nil, err
	}
	if err := r.observeStable(ctx, s); err != nil {
		return nil, err
	}
	if s.Stable.Hold == "" && s.Stable.Phase == "" && s.withoutCanary() {
		return s, nil // no rollout: no decision needs traffic or metrics
	}
	if err := r.observeTraffic(ctx, s); err != nil {
		return nil, err
	}
	r.observeAnalysis(ctx, s)
	s.Observation = s.OnOneClock()
	return s, nil
}

// readWhole reads the Deployment from the API server if the cache has only its identity.
// That is so where a canary is left and every annotation and condition of Headgate is
// gone: usually a condition stays.
func (r *Reconciler) readWhole(ctx context.Context, s *snapshot) error {
	if !isBare(s.dep) {
		return nil
	}
	live, err := r.confirmUnchanged(ctx, s.dep)
	if err != nil {
		return err
	}
	*s.dep = *live
	return nil
}

// withoutCanary says whether there is no canary, and nothing that one left.
func (s *snapshot) withoutCanary() bool { return s.canaryDep == nil && !s.leftovers }

// isRelevant says whether a Deployment opted in or has something of Headgate's: an
// annotation, or a condition that is to be brought up to date.
func isRelevant(obj client.Object) bool {
	a := obj.GetAnnotations()
	if spec.OptedIn(a) || a[spec.AnnotationRollout] != "" || a[spec.AnnotationPhase] != "" {
		return true
	}
	dep, ok := obj.(*appsv1.Deployment)
	if !ok {
		return false
	}
	c := conditionOf(dep)
	return c != nil && c.Reason != string(reason.OptedOut) // else the condition is out of date
}

// readCommand parses the command annotation, if there is one.
func (s *snapshot) readCommand() {
	text, ok := s.dep.Annotations[spec.AnnotationCommand]
	if !ok {
		return
	}
	command, err := spec.ParseCommand(text)
	if err != nil {
		s.CommandErr = err
		return
	}
	s.Command = &command
}

func (r *Reconciler) observeCanary(ctx context.Context, s *snapshot) error {
	canary := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: s.dep.Namespace, Name: canaryName(s.dep)}
	switch err := r.Client.Get(ctx, key, canary); {
	case apierrors.IsNotFound(err):
		s.observeEnd()
		return r.observeLeftovers(ctx, s)
	case err != nil:
		return err
	}
	if s.Problem = nameProblem(s.dep, canary); s.Problem != nil {
		return nil //nolint:nilerr // a Problem is an answer here, and no failure
	}
	s.canaryDep = canary
	s.Canary = &rollout.CanaryStatus{Replicas: *canary.Spec.Replicas, Template: fingerprint(canary.Spec.Template)}
	s.Canary.Stored, s.Canary.StateErr = s.observeState()
	s.Canary.State = r.memory.recall(s)
	if canary.Status.ObservedGeneration > 0 {
		s.Canary.Available = canary.Status.AvailableReplicas
	}
	return r.observeAdoption(ctx, s)
}

// nameProblem says that the Deployment canary, which has the name that the canary of dep
// needs, is none of dep. nil: it is.
func nameProblem(dep, canary *appsv1.Deployment) *rollout.Problem {
	if metav1.IsControlledBy(canary, dep) && canary.DeletionTimestamp == nil {
		return nil
	}
	return &rollout.Problem{
		Reason: reason.NameTaken,
		Message: fmt.Sprintf("the canary needs the name %s, but another Deployment has it, "+
			"or an earlier canary that is still being deleted: rename or remove that Deployment", canary.Name),
	}
}

func (r *Reconciler) observeStable(ctx context.Context, s *snapshot) error {
	dep, status := s.dep, s.dep.Status
	upToDate := status.ObservedGeneration >= dep.Generation
	template := fingerprint(dep.Spec.Template)
	s.Stable = rollout.Stable{
		Name:      dep.Name,
		OptedIn:   spec.OptedIn(dep.Annotations),
		Hold:      dep.Annotations[spec.AnnotationRollout],
		Phase:     spec.Phase(dep.Annotations[spec.AnnotationPhase]),
		Template:  template,
		Version:   withRestart(template, dep.Spec.Template),
		Known:     knownTemplate(dep),
		UpToDate:  upToDate,
		Replicas:  *dep.Spec.Replicas,
		Available: status.AvailableReplicas,
		UpdateGap: updateGap(dep),
		Revision:  dep.Annotations[annotationRevision],
		Updated: upToDate && status.UpdatedReplicas == *dep.Spec.Replicas &&
			status.Replicas == status.UpdatedReplicas && status.AvailableReplicas == status.UpdatedReplicas,
	}
	s.Stable.Complete = s.Stable.Updated && !dep.Spec.Paused
	if s.condition != nil {
		s.Stable.Reason = reason.Reason(s.condition.Reason)
		if s.Stable.Reason == reason.WriteRefused {
			s.Stable.Refused, s.Stable.RefusedSince = refuserWords(s.condition.Message), s.condition.LastTransitionTime.Time
		}
	}
	for _, c := range status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			s.Stable.Stalled = upToDate
		}
	}
	if err := r.observeReplicaSets(ctx, s); err != nil {
		return err
	}
	return r.compareWhole(ctx, s)
}

func (r *Reconciler) observeReplicaSets(ctx context.Context, s *snapshot) error {
	sets, err := r.replicaSetsOf(ctx, s.dep)
	if err != nil {
		return err
	}
	var others bool
	s.Stable.Runs, s.Stable.TemplateRuns, others = s.running(sets)
	s.Stable.RevisionsAgo = s.revisionsAgo(sets)
	// With strategy Recreate the old ReplicaSet and the new one never have pods at
	// the same time, so no pods of the new template are needed to tell.
	s.Stable.Recreate = s.dep.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType
	s.Stable.Rolling = others && (s.Stable.TemplateRuns || s.Stable.Recreate) && !s.dep.Spec.Paused
	return nil
}

// replicaSetsOf returns the ReplicaSets of dep from the cache, which has no templates
// of them; see Trim.
func (r *Reconciler) replicaSetsOf(ctx context.Context, dep *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	var list appsv1.ReplicaSetList
	owned := client.MatchingFields{ownerIndex: string(dep.UID)}
	if err := r.Client.List(ctx, &list, client.InNamespace(dep.Namespace), owned); err != nil {
		return nil, fmt.Errorf("listing the ReplicaSets of Deployment %s/%s: %w", dep.Namespace, dep.Name, err)
	}
	return list.Items, nil
}

// running says of sets whether any of them has pods, whether one with pods has the
// template of the spec, and whether one has another.
func (s *snapshot) running(sets []appsv1.ReplicaSet) (some, same, others bool) {
	for i := range sets {
		switch rs := &sets[i]; {
		case !hasPods(rs):
		case s.sameVersion(rs):
			some, same = true, true
		default:
			some, others = true, true
		}
	}
	return some, same, others
}

// observeTraffic asks the Router. It then checks what does not depend on the
// Router, chooses the track of a canary that is to come, and observes the pods of one
// that exists.
func (r *Reconciler) observeTraffic(ctx context.Context, s *snapshot) error {
	s.target = rollout.Target{Deployment: s.dep, Spec: s.Spec, Rollout: s.Stable.Hold, Extra: r.Extra}
	if s.canaryDep != nil {
		s.target.Track = maps.Clone(s.canaryDep.Spec.Selector.MatchLabels)
		s.target.Rollout = s.target.Track[spec.LabelRollout]
		delete(s.target.Track, spec.LabelRollout)
		s.target.Canary = s.canaryDep.Spec.Template.Labels[spec.LabelCanary]
		s.Stable.NotAdoptable = notAdoptable(s.dep, s.canaryDep, s.target.Track)
	} else {
		s.target.Canary = canaryLabel(s.dep)
	}
	var err error
	if s.Traffic, err = r.Router.Observe(ctx, s.target); err != nil {
		return fmt.Errorf("observing the traffic of Deployment %s/%s: %w", s.dep.Namespace, s.dep.Name, err)
	}
	s.target.Seen = s.Traffic.Version
	if s.canaryDep != nil && s.Traffic.PreviewRefused == nil {
		s.Traffic.PreviewRefused = r.previews.refusal(s.target)
	}
	if s.Problem == nil {
		s.Problem = s.Traffic.Problem
	}
	if s.Problem == nil {
		s.Problem = strategyProblem(s.dep)
	}
	if s.canaryDep == nil && s.Problem == nil {
		s.chooseTrack()
	}
	return r.observeCanaryPods(ctx, s)
}

// strategyProblem says why the strategy of dep allows no canary. nil: it does.
func strategyProblem(dep *appsv1.Deployment) *rollout.Problem {
	if dep.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		return nil
	}
	return &rollout.Problem{
		Reason: reason.RecreateNotSupported,
		Message: "strategy Recreate stops every stable pod before the first new one starts, " +
			"so a promotion would interrupt the service: set spec.strategy.type to RollingUpdate",
	}
}

// observeCanaryPods finds why canary pods are not Available, and the result of the
// Job that tests them. It does nothing while there is no canary.
func (r *Reconciler) observeCanaryPods(ctx context.Context, s *snapshot) error {
	if s.canaryDep == nil {
		return nil
	}
	if err := r.observePodFailures(ctx, s); err != nil {
		return err
	}
	return r.observeJobs(ctx, s)
}

// chooseTrack chooses the track labels of a canary that does not exist yet.
func (s *snapshot) chooseTrack() {
	track, err := rollout.ChooseTrack(s.dep.Spec.Template.Labels, s.dep.Spec.Selector,
		s.Traffic.Selectors, s.Traffic.OtherServices, s.Spec.TrackLabel)
	if err != nil {
		s.Problem = &rollout.Problem{Reason: reason.CanaryIndistinct, Message: err.Error()}
		return
	}
	s.target.Track = track
}

// observeAnalysis finds out how the rollout is judged. It measures nothing.
func (r *Reconciler) observeAnalysis(ctx context.Context, s *snapshot) {
	if s.SpecErr != nil {
		return
	}
	now, err := r.Judge.Resolve(ctx, s.dep.Namespace, s.Spec.Analysis)
	s.Rules.Now, s.Rules.NowErr = rulesOf(now), err
	s.analysis, s.PlanErr = now, err
	if s.canaryDep != nil {
		s.Rules.Began = s.canaryDep.Annotations[spec.AnnotationAnalysisRules]
	}
	if s.Rules.Began != s.Rules.Now {
		began, err := r.Judge.Resolve(ctx, s.dep.Namespace, s.Rules.Began)
		if s.Rules.BeganErr = err; s.Rules.Kept() {
			s.analysis, s.PlanErr = began, err
		}
	}
	if s.PlanErr == nil && s.analysis != nil {
		plan := s.analysis.Plan()
		s.Plan = &plan
	}
}

// rulesOf are those of a, which may be nil.
func rulesOf(a Analysis) string {
	if a == nil {
		return ""
	}
	return a.Rules()
}

// subject returns what a measurement is about: the names by which metrics tell
// stable from canary.
func (s *snapshot) subject() rollout.Subject {
	subject := rollout.Subject{
		Namespace:        s.dep.Namespace,
		Deployment:       s.dep.Name,
		CanaryDeployment: s.canaryDep.Name,
		CanaryService:    s.Traffic.CanaryService,
		CanaryIngress:    s.Traffic.CanaryIngress,
		ServicePort:      s.Traffic.Port,
		Rollout:          s.target.Rollout,
		Weight:           s.Canary.State.Weight,
		Matched:          !s.Canary.State.Match.None(),
		Window:           s.Plan.Interval,
		Since:            s.MeasuredSince(s.Canary.State),
		Evidence:         s.Canary.State.Evidence,
	}
	if keys := slices.Sorted(maps.Keys(s.target.Track)); len(keys) > 0 {
		key := keys[0] // any of them has another value on canary pods
		subject.TrackLabel, subject.CanaryTrack = key, s.target.Track[key]
		subject.StableTrack = s.dep.Spec.Template.Labels[key]
	}
	if len(s.Traffic.Services) > 0 {
		subject.Service = s.Traffic.Services[0]
	}
	if len(s.Traffic.Ingresses) > 0 {
		subject.Ingress, subject.Ingresses = s.Traffic.Ingresses[0], s.Traffic.Ingresses
	}
	return subject
}

// fingerprint returns a hash by which templates are told apart within one rollout:
// 16 hexadecimal digits. A rolling restart does not change it, so that a promotion
// goes on during one. Another version of Headgate may give the same template
// another fingerprint, because it knows more fields; then a canary starts over once.
//
// It is stored, so it covers the fields that this program knows and no others: an
// upgrade of the API server may give every template a newer field with a default, and
// all rollouts would end. A held template that changed in such a field only is still
// told from the one before, because the webhook gives it a hold of its own.
func fingerprint(t corev1.PodTemplateSpec) string {
	b, err := json.Marshal(spec.Unrestarted(t))
	if err != nil {
		return "" // cannot happen: the template was decoded from JSON
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// sameVersion says whether the template of a ReplicaSet is the version that the
// Deployment asks for. A restart is the same version, or it would look like a new
// version that was rolled out without a canary. It is another version only if the
// user wants a canary for restarts.
func (s *snapshot) sameVersion(rs *appsv1.ReplicaSet) bool {
	return s.versionOf(replicaSetIdentity(rs)) == s.versionOf(templateIdentity(s.dep.Spec.Template))
}
