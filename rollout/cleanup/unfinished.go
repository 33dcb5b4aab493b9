package cleanup

import (
	"context"
	"fmt"
	"strings"

	"github.com/headgate/headgate/rollout/spec"
)

// unfinished says what is left when the time is over, and what to type.
func unfinished(ctx context.Context, left []leftover, err error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", context.Cause(ctx))
	if err != nil {
		fmt.Fprintf(&b, "; the last look failed: %v", err)
	}
	if len(left) > 0 {
		b.WriteString("; this is left:")
	}
	for i := range left {
		rest := &left[i]
		fmt.Fprintf(&b, "\n  %s: %s", rest.deployment, rest.why())
		if rest.refused != "" {
			fmt.Fprintf(&b, "\n    the last write failed: %s", rest.refused)
		}
		for _, line := range rest.advice() {
			fmt.Fprintf(&b, "\n    %s", line)
		}
	}
	return fmt.Errorf("%s", b.String())
}

// advice is what a person can type.
func (r *leftover) advice() []string {
	deployment := fmt.Sprintf("kubectl -n %s annotate --overwrite deployment/%s ", r.deployment.Namespace, r.deployment.Name)
	promote := deployment + spec.AnnotationCommand + "=" + spec.VerbPromoteFull
	switch {
	case r.dep == nil:
		return []string{fmt.Sprintf("to see what keeps it: kubectl -n %s get deployments,services,ingresses,jobs,replicasets -l %s=%s -o yaml",
			r.deployment.Namespace, spec.LabelManagedBy, spec.ManagedBy)}
	case r.undecided():
		return []string{"to keep the version that runs: apply its template again, in git if a GitOps tool applies it",
			"to release its new template as it is: " + promote}
	case isHeld(r.dep) || spec.Phase(r.dep.Annotations[spec.AnnotationPhase]) == spec.Promoting:
		return []string{"to end its promotion without the pods that are missing: " + promote}
	}
	return []string{"wait: stable has its traffic, and the manager removes the rest"}
}
