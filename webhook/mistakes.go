package webhook

import (
	"errors"
	"fmt"
	"slices"

	"github.com/headgate/headgate/rollout/spec"
)

// mistake is one thing that is wrong with one annotation.
type mistake struct {
	key  string // the annotation; "" if the parser names none
	text string // what the writer reads
}

// sortMistakes splits the mistakes in the annotations of r.New. This request is
// denied for those that it introduces. Those that were there before only warn:
// denying for them would block an autoscaler, or a person who corrects another
// field.
func (r Request) sortMistakes(found []mistake) (introduced, inherited []string) {
	if len(found) == 0 {
		return nil, nil
	}
	var before []mistake
	if r.optedInBefore() {
		_, before = r.parse(r.Old.Annotations)
	}
	for _, m := range found {
		// The request introduces a mistake that it writes again: "120%" becomes
		// "120%, x" and the text about "120%" stays the same. It also introduces a new
		// mistake in an unchanged annotation, which then comes from a second annotation:
		// the analysis is removed while an analysis step stays.
		if slices.Contains(before, m) && r.Old.Annotations[m.key] == r.New.Annotations[m.key] {
			inherited = append(inherited, m.text)
		} else {
			introduced = append(introduced, m.text)
		}
	}
	return introduced, inherited
}

// parse reads everything that a user may write. The Spec is zero if ParseSpec
// finds a mistake. A mistake in the command, or one that CheckAnalysis or
// CheckGates finds, leaves the Spec as it is.
func (r Request) parse(annotations map[string]string) (spec.Spec, []mistake) {
	var found []mistake
	written, err := spec.ParseSpec(annotations)
	gates := written.Gates
	if err != nil {
		found = splitError(err)
		// The mistake may be in another annotation. Gates that parse are checked all
		// the same, so that the writer reads of all mistakes at once.
		gates, _ = spec.ParseGates(annotations[spec.AnnotationGates])
	}
	if text, ok := annotations[spec.AnnotationCommand]; ok {
		if _, err := spec.ParseCommand(text); err != nil {
			found = append(found, splitError(err)...)
		}
	}
	if text := annotations[spec.AnnotationAnalysis]; text != "" && r.CheckAnalysis != nil {
		found = appendMistake(found, spec.AnnotationAnalysis, r.CheckAnalysis(text))
	}
	if len(gates) > 0 && r.CheckGates != nil {
		found = appendMistake(found, spec.AnnotationGates, r.CheckGates(gates))
	}
	return written, found
}

// appendMistake adds what err says about annotation key; nothing if err is nil.
func appendMistake(found []mistake, key string, err error) []mistake {
	if err == nil {
		return found
	}
	return append(found, mistake{key, fmt.Sprintf("annotation %s: %v", key, err)})
}

// splitError returns one mistake for each error that ParseSpec joined into err.
func splitError(err error) []mistake {
	var list []mistake
	for _, fault := range spec.Faults(err) {
		m := mistake{text: fault.Error()}
		var wrong *spec.AnnotationError
		if errors.As(fault, &wrong) {
			m.key = wrong.Key
		}
		list = append(list, m)
	}
	return list
}
