package rollout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/rollout/spec"
)

// ExtraMeta is what the operator wants on every object that Headgate makes, such as a
// label that a policy requires. It goes into the metadata of the object alone: never
// into a selector, nor into the template of pods, whose labels are the user's. The
// zero value adds nothing.
type ExtraMeta struct {
	Labels      map[string]string
	Annotations map[string]string
}

// AddTo adds m to the metadata of obj.
func (m ExtraMeta) AddTo(obj metav1.Object) {
	if len(m.Labels) > 0 {
		obj.SetLabels(labels.Merge(obj.GetLabels(), m.Labels))
	}
	if len(m.Annotations) > 0 {
		obj.SetAnnotations(labels.Merge(obj.GetAnnotations(), m.Annotations))
	}
}

// On says whether obj has all of m.
func (m ExtraMeta) On(obj metav1.Object) bool {
	return contains(obj.GetLabels(), m.Labels) && contains(obj.GetAnnotations(), m.Annotations)
}

func contains(all, part map[string]string) bool {
	for key, value := range part {
		if has, ok := all[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// CheckExtraLabels returns an error for the first label, by key, that the API server
// would not accept, or that is not the operator's to set.
func CheckExtraLabels(labels map[string]string) error {
	return checkEach(labels, func(key, value string) error {
		if faults := validation.IsValidLabelValue(value); len(faults) > 0 {
			return fmt.Errorf("value %q of %s: %s", value, key, faults[0])
		}
		return checkExtraKey(key)
	})
}

// CheckExtraAnnotations is CheckExtraLabels for annotations. prefix is that of the
// annotations which the ingress controller reads: they decide who gets which traffic.
func CheckExtraAnnotations(annotations map[string]string, prefix string) error {
	return checkEach(annotations, func(key, _ string) error {
		if strings.HasPrefix(key, prefix+"/") {
			return fmt.Errorf("%s: the ingress controller reads it, and Headgate alone writes it", key)
		}
		return checkExtraKey(key)
	})
}

func checkEach(pairs map[string]string, check func(key, value string) error) error {
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		if err := check(key, pairs[key]); err != nil {
			return err
		}
	}
	return nil
}

// checkExtraKey refuses a key that is malformed, and one by which Headgate, Kubernetes,
// its ingress and DNS controllers or Argo CD tell what an object is. The labels of
// app.kubernetes.io describe an application and are allowed, except managed-by:
//
//	team, example.com/owner, app.kubernetes.io/part-of             allowed
//	headgate.dev/rollout, app.kubernetes.io/managed-by             refused: Headgate finds its objects by them
//	kubernetes.io/ingress.class, deployment.kubernetes.io/revision refused
func checkExtraKey(key string) error {
	if faults := validation.IsQualifiedName(key); len(faults) > 0 {
		return fmt.Errorf("%q: %s", key, faults[0])
	}
	domain, _, ok := strings.Cut(key, "/")
	reserved := ok && domain != "app.kubernetes.io" && slices.ContainsFunc(reservedDomains, func(owner string) bool {
		return domain == owner || strings.HasSuffix(domain, "."+owner)
	})
	if reserved || key == spec.LabelManagedBy {
		return errors.New(key + ": Headgate, Kubernetes or Argo CD gives it a meaning")
	}
	return nil
}

var reservedDomains = []string{"headgate.dev", "kubernetes.io", "k8s.io", "argocd.argoproj.io"}
