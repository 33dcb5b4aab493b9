package controller

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// kstatusConditions returns what is to be written of the conditions that kstatus reads.
// None: they are as d wants them. They go into the write that tells d, so that they cost
// no write of their own. Where the user does not ask for them, those that Headgate wrote
// before are removed; conditions of others stay.
func (s *snapshot) kstatusConditions(d rollout.Decision) []condition {
	if d.Hold == rollout.RenewHold {
		return nil // d tells of the rollout before; that write of the hold brings the next pass
	}
	because, message := d.Reason, d.Message
	if because == "" && d.Phase == spec.RolledBack && s.condition != nil {
		because, message = reason.Reason(s.condition.Reason), s.condition.Message
	}
	wanted := s.kstatusType(d.Phase, because)
	var changes []condition
	for _, kind := range []string{spec.ConditionReconciling, spec.ConditionStalled} {
		is := findCondition(s.dep, appsv1.DeploymentConditionType(kind))
		switch {
		case kind == wanted && because == "":
			// The decision has no sentence yet: what is there stays.
		case kind == wanted && !says(is, because, message):
			changes = append(changes, s.kstatusCondition(kind, is, because, message))
		case kind != wanted && isOurs(is):
			changes = append(changes, condition{"type": kind, "$patch": "delete"})
		}
	}
	return changes
}

// kstatusType returns the type of the one condition that should be there. "": none.
// kstatus takes ConditionStalled for the end. So a precondition that is not met is not
// stalled, because the rollout begins by itself once it is. A promotion that does not
// finish is: Kubernetes' own condition ProgressDeadlineExceeded says so too, and
// ConditionReconciling would hide that.
func (s *snapshot) kstatusType(phase spec.Phase, because reason.Reason) string {
	switch {
	case phase == "" || !spec.ReportsKstatus(s.dep.Annotations):
		return ""
	case phase == spec.RolledBack || because == reason.PromotionStalled:
		return spec.ConditionStalled
	}
	return spec.ConditionReconciling
}

// kstatusCondition is a condition in the place of is. nil: there is none.
func (s *snapshot) kstatusCondition(kind string, is *appsv1.DeploymentCondition, because reason.Reason, message string) condition {
	now := metav1.NewTime(s.Now)
	since := now
	if is != nil && is.Status == corev1.ConditionTrue {
		since = is.LastTransitionTime
	}
	return condition{
		"type":               kind,
		"status":             corev1.ConditionTrue,
		"reason":             because,
		"message":            message,
		"lastUpdateTime":     now,
		"lastTransitionTime": since,
	}
}

// says whether c is true, for this reason and with this message.
func says(c *appsv1.DeploymentCondition, because reason.Reason, message string) bool {
	return c != nil && c.Status == corev1.ConditionTrue && c.Reason == string(because) && c.Message == message
}

// isOurs says whether Headgate wrote c: its reason is one of Headgate's.
func isOurs(c *appsv1.DeploymentCondition) bool {
	if c == nil {
		return false
	}
	_, known := reason.Explain(reason.Reason(c.Reason))
	return known
}
