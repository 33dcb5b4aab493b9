package webhook

import (
	"errors"
	"fmt"
	"slices"

	"github.com/headgate/headgate/rollout/spec"
)

// complaint is what is wrong with one annotation.
type complaint struct {
	key  string
	text string
}

// complaints are about the annotations of r.New. broken is what this request
// breaks. What is wrong but not this request's doing is stale: to deny for it
// would block writers who have nothing to do with it, an HPA's scaling or the fix
// of another field.
func (r Request) complaints() (broken, stale []string) {
	var before []complaint
	if r.optedInBefore() {
		before = r.check(r.Old.Annotations)
	}
	for _, c := range r.check(r.New.Annotations) {
		// The same complaint about a changed value is news: "120%, x" for "120%".
		// So is another about an unchanged one: it comes from a second annotation.
		if slices.Contains(before, c) && r.Old.Annotations[c.key] == r.New.Annotations[c.key] {
			stale = append(stale, c.text)
		} else {
			broken = append(broken, c.text)
		}
	}
	return broken, stale
}

// check parses everything that a user may write.
func (r Request) check(annotations map[string]string) []complaint {
	var list []complaint
	if _, err := spec.ParseSpec(annotations); err != nil {
		list = complaintsOf(err)
	}
	if text, ok := annotations[spec.AnnotationCommand]; ok {
		if _, err := spec.ParseCommand(text); err != nil {
			list = append(list, complaintsOf(err)...)
		}
	}
	if text := annotations[spec.AnnotationAnalysis]; text != "" && r.CheckAnalysis != nil {
		list = append(list, about(spec.AnnotationAnalysis, r.CheckAnalysis(text))...)
	}
	if text, ok := annotations[spec.AnnotationGates]; ok && r.CheckGates != nil {
		// Gates that do not parse are none, and ParseSpec has complained.
		gates, _ := spec.ParseGates(text)
		list = append(list, about(spec.AnnotationGates, r.CheckGates(gates))...)
	}
	return list
}

// about is the complaint that err is about annotation key; none if it is nil.
func about(key string, err error) []complaint {
	if err == nil {
		return nil
	}
	return []complaint{{key, fmt.Sprintf("annotation %s: %v", key, err)}}
}

// complaintsOf takes apart what ParseSpec joins.
func complaintsOf(err error) []complaint {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []complaint
		for _, e := range joined.Unwrap() {
			list = append(list, complaintsOf(e)...)
		}
		return list
	}
	c := complaint{text: err.Error()}
	var wrong *spec.AnnotationError
	if errors.As(err, &wrong) {
		c.key = wrong.Key
	}
	return []complaint{c}
}
