package lint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// fault is one error of a parser.
type fault struct{ rule, key, text string }

// faultsOf are the faults that err joins.
func faultsOf(err error) []fault {
	if err == nil {
		return nil
	}
	var all []fault
	for _, e := range spec.Faults(err) {
		f := fault{rule: string(reason.InvalidAnnotation), text: e.Error()}
		if wrong, ok := errors.AsType[*spec.AnnotationError](e); ok {
			if f.key = wrong.Key; wrong.Err == nil {
				f.rule, f.text = unknownAnnotation, misspelt(wrong)
			}
		}
		all = append(all, f)
	}
	return all
}

// misspelt names the nearest annotation where one is near, instead of all of them.
func misspelt(err *spec.AnnotationError) string {
	if near := nearest(err.Key, spec.Annotations()); near != "" {
		return fmt.Sprintf("annotation %s: there is no such annotation; do you mean %s?", err.Key, near)
	}
	return err.Error()
}

// markers are what only Headgate writes on a Deployment.
var markers = []string{spec.AnnotationRollout, spec.AnnotationPhase}

// manifest adds what is about a manifest and not about a Deployment in a cluster.
func (l *linter) manifest() {
	if l.src == nil {
		return
	}
	l.strayAnnotations()
	if !spec.OptedIn(l.dep.Annotations) {
		return
	}
	for _, key := range markers {
		if l.src.has("metadata", "annotations", key) {
			l.add(Warning, markerInManifest, l.src.annotationLine(key, ""), "%s is written by Headgate alone, and was copied from a cluster: "+
				"remove it from the manifest", key)
		}
	}
	if text, ok := l.dep.Annotations[spec.AnnotationCommand]; ok {
		line := l.src.annotationLine(spec.AnnotationCommand, "")
		l.add(Warning, commandInManifest, line, "%s: %s is given again whenever the manifest is applied: give it to the cluster instead, "+
			"for example kubectl headgate %s %s", spec.AnnotationCommand, text, text, l.dep.Name)
		if _, err := spec.ParseCommand(text); err != nil {
			l.add(Error, string(reason.InvalidAnnotation), line, "%v", err)
		}
	}
	l.paused()
	l.replicas()
}

// strayAnnotations finds annotations that nobody reads.
func (l *linter) strayAnnotations() {
	for _, key := range slices.Sorted(maps.Keys(l.dep.Annotations)) {
		if !strings.HasPrefix(key, spec.AnnotationPrefix) || spec.OptedIn(l.dep.Annotations) {
			continue
		}
		text := fmt.Sprintf("%s has no effect without %s, which opts in", key, spec.AnnotationStrategy)
		if near := nearest(key, []string{spec.AnnotationStrategy}); near != "" {
			text = fmt.Sprintf("there is no annotation %s; do you mean %s? Without it the Deployment is not opted in", key, near)
		}
		l.add(Warning, withoutStrategy, l.src.annotationLine(key, ""), "%s", text)
	}
	for _, key := range slices.Sorted(maps.Keys(l.dep.Spec.Template.Annotations)) {
		if strings.HasPrefix(key, spec.AnnotationPrefix) {
			l.add(Warning, onPods, l.src.line([]string{"spec", "template", "metadata", "annotations", key}),
				"%s is on the pod template, where nobody reads it: move it to metadata.annotations of the Deployment", key)
		}
	}
	for _, key := range []string{spec.LabelRollout, spec.LabelCanary} {
		if l.dep.Spec.Template.Labels[key] != "" {
			l.add(Warning, markerInManifest, l.src.line([]string{"spec", "template", "metadata", "labels", key}),
				"label %s is written by Headgate alone, and was copied from a cluster: remove it from the pod template", key)
		}
	}
}

func (l *linter) paused() {
	path := []string{"spec", "paused"}
	switch {
	case l.dep.Spec.Paused:
		l.add(Warning, pausedInManifest, l.src.line(path), "spec.paused: true stops every rollout of this Deployment, also after a promotion: "+
			"remove it; Headgate pauses the Deployment itself while it holds a template")
	case l.src.has(path...):
		l.add(Note, pausedInManifest, l.src.line(path), "spec.paused: false has no effect while Headgate holds a template, "+
			"and a GitOps tool may show it as a difference: remove it")
	}
}

func (l *linter) replicas() {
	path := []string{"spec", "replicas"}
	if l.dep.Spec.Replicas != nil && *l.dep.Spec.Replicas == 0 {
		l.add(Warning, string(reason.ScaledToZero), l.src.line(path),
			"with 0 replicas there is no stable version, and a new template goes out without a canary")
	}
	for _, hpa := range each[*autoscalingv2.HorizontalPodAutoscaler](l.set) {
		scales := hpa.Namespace == l.dep.Namespace && hpa.Spec.ScaleTargetRef.Kind == "Deployment" &&
			hpa.Spec.ScaleTargetRef.Name == l.dep.Name
		if scales && l.src.has(path...) {
			l.add(Warning, replicasAndScaler, l.src.line(path), "HorizontalPodAutoscaler %s scales this Deployment, and each apply sets "+
				"spec.replicas back, also in the middle of a rollout: remove it from the manifest", hpa.Name)
		}
	}
}

// analysis adds what is wrong with the analysis and with the ConfigMap that it names.
func (l *linter) analysis(ctx context.Context) error {
	text := l.wanted.Analysis
	if text == "" {
		return nil
	}
	a, err := analysis.Parse(text)
	if err == nil {
		err = providers.Check(text)
	}
	if err != nil {
		l.wrongAnalysis(l.src, []string{"metadata", "annotations", spec.AnnotationAnalysis}, "annotation "+spec.AnnotationAnalysis, err)
		return nil
	}
	if a.ConfigMap == "" {
		l.skipped(a.Plan)
		return nil
	}
	if a.OfOperator { // its ConfigMap belongs to the operator, and is not part of an app
		return nil
	}
	cm := &corev1.ConfigMap{}
	err = l.set.Get(ctx, client.ObjectKey{Namespace: l.dep.Namespace, Name: a.ConfigMap}, cm)
	switch {
	case apierrors.IsNotFound(err) && (l.o.Live || l.isWholeApp()):
		severity, where := Warning, notAmong
		if l.o.Live {
			severity, where = Error, ""
		}
		l.add(severity, configMapMissing, l.src.annotationLine(spec.AnnotationAnalysis, ""),
			"%s names ConfigMap %q, which is not in namespace %q: create it or correct the annotation%s",
			spec.AnnotationAnalysis, a.ConfigMap, l.dep.Namespace, where)
		return nil
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	l.shared(ctx, text, cm)
	return nil
}

// shared checks an analysis in a ConfigMap, with the parameters that text gives it.
func (l *linter) shared(ctx context.Context, text string, cm *corev1.ConfigMap) {
	resolved, err := Analyses(l.set).Resolve(ctx, l.dep.Namespace, text)
	if err == nil {
		l.skipped(resolved.Plan())
		return
	}
	src := l.src
	if o := l.set.find("ConfigMap", cm.Namespace, cm.Name); o != nil {
		src = l.set.sources[o]
	}
	l.wrongAnalysis(src, []string{"data", "analysis"}, "ConfigMap "+cm.Name, err)
}

// wrongAnalysis adds what is wrong with the text at path of src. A provider that is not known
// here may be known to the manager.
func (l *linter) wrongAnalysis(src *source, path []string, where string, err error) {
	severity, text := Error, err.Error()
	if errors.Is(err, analysis.ErrUnknownProvider) {
		severity, text = Note, "not checked: which providers the operator has set up is not known here"
	}
	if !strings.Contains(text, where) {
		text = where + ": " + text
	}
	l.addAt(src, src.textLine(path, err.Error()), severity, string(reason.InvalidAnnotation), text)
}

// skipped notes the steps that will judge nothing.
func (l *linter) skipped(plan rollout.AnalysisPlan) {
	if !plan.NeedsTraffic {
		return
	}
	for _, step := range l.wanted.Steps {
		switch step.Kind {
		case spec.SetWeight:
			if step.Weight > 0 {
				return
			}
		case spec.MatchHeader, spec.MatchCookie:
			return
		case spec.RunAnalysis:
			l.note(rollout.Note{Reason: reason.AnalysisSkipped, Message: "the analysis step before the first traffic judges nothing, " +
				"because its metrics count requests that come to the canary"})
			return
		case spec.Wait, spec.Pause, spec.SetScale, spec.RunJob:
		}
	}
}

func (l *linter) gates() {
	for _, g := range l.wanted.Gates {
		if strings.HasPrefix(g.URL, "http://") {
			text := fmt.Sprintf("gate %q is not encrypted, and whoever is on the way to it can open it: use https", g.URL)
			l.add(Warning, gateNotEncrypted, l.src.annotationLine(spec.AnnotationGates, text), "%s", text)
		}
	}
}

// deadlines compares the deadlines with what they bound.
func (l *linter) deadlines() {
	limit := l.wanted.ProgressDeadline
	named := fmt.Sprintf("%s (%s)", spec.AnnotationProgressDeadline, spec.FormatDuration(limit))
	ready := time.Duration(l.dep.Spec.MinReadySeconds) * time.Second
	if ready >= limit {
		l.add(Error, deadlineTooShort, l.src.line([]string{"spec", "minReadySeconds"}), "a canary pod is Available after minReadySeconds (%s), "+
			"and the rollout is rolled back after %s: raise the one or lower the other", spec.FormatDuration(ready), named)
	}
	own := time.Duration(ptr.Deref(l.dep.Spec.ProgressDeadlineSeconds, 0)) * time.Second
	if own > limit && l.src != nil {
		l.add(Warning, deadlineTooShort, l.src.line([]string{"spec", "progressDeadlineSeconds"}), "progressDeadlineSeconds (%s) does not "+
			"bound a canary: its pods must be Available within %s", spec.FormatDuration(own), named)
	}
	waits := time.Duration(0)
	for _, step := range l.wanted.Steps {
		waits += step.Duration
	}
	if all := l.wanted.RolloutDeadline; all > 0 && waits >= all {
		l.add(Error, deadlineTooShort, l.src.annotationLine(spec.AnnotationRolloutDeadline, ""), "the steps wait for %s, and the rollout is "+
			"rolled back after %s (%s): raise it", spec.FormatDuration(waits), spec.FormatDuration(all), spec.AnnotationRolloutDeadline)
	}
}

// ingresses adds which requests of the Ingresses cannot be split.
func (l *linter) ingresses(tr rollout.Traffic) {
	for _, name := range tr.Ingresses {
		ing, ok := l.set.find("Ingress", l.dep.Namespace, name).(*netv1.Ingress)
		if !ok {
			continue
		}
		src := l.set.sources[ing]
		for i, rule := range ing.Spec.Rules {
			if rule.HTTP == nil {
				l.addAt(src, src.line([]string{"spec", "rules", fmt.Sprint(i)}), Warning, ruleWithoutHTTP, fmt.Sprintf(
					"Ingress %q: the rule for host %q has no http, so its requests go to the default backend and are not split: "+
						"add a path to it", name, rule.Host))
			}
		}
		if b := ing.Spec.DefaultBackend; b != nil && b.Service != nil && slices.Contains(tr.Services, b.Service.Name) {
			l.addAt(src, src.line([]string{"spec", "defaultBackend"}), Warning, defaultBackend, fmt.Sprintf(
				"Ingress %q: requests that match no path go to Service %q by its default backend, and are not split: add a path / to it",
				name, b.Service.Name))
		}
	}
}

// maxName is the longest name of a Deployment.
const maxName = 253

// names adds the names that Headgate has to cut.
func (l *linter) names(found controller.Findings) {
	if name := l.dep.Name + "-canary"; len(name) > maxName {
		l.add(Error, longName, l.src.line(), "the canary would be Deployment %s, whose name has %d characters, at most %d are allowed: "+
			"rename the Deployment", name, len(name), maxName)
	}
	for _, key := range slices.Sorted(maps.Keys(found.Track)) {
		if stable := l.dep.Spec.Template.Labels[key]; found.Track[key] != strings.TrimPrefix(stable+"-canary", "-") {
			l.add(Note, longName, l.src.line([]string{"spec", "template", "metadata", "labels", key}),
				"label %s of canary pods is cut to %q, because a value has at most 63 characters", key, found.Track[key])
		}
	}
	for _, name := range found.Traffic.Services {
		if canary := rollout.DerivedName(name, "-canary", 63); canary != name+"-canary" {
			l.add(Note, longName, l.src.line(), "the canary Service of %s is called %s, because a name has at most 63 characters", name, canary)
		}
	}
}
