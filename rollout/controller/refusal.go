package controller

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// refused returns the error of the API server in err, if it refused a write: a
// quota, a policy, an admission webhook, missing permissions. Conflicts, time-outs
// and an API server that is too busy are no refusals: they end by themselves.
func refused(err error) *apierrors.StatusError {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return nil
	}
	switch code := int(status.ErrStatus.Code); {
	case code == http.StatusConflict, code == http.StatusNotFound, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return nil
	case code >= 400 && code < 500:
		return status
	case strings.Contains(status.ErrStatus.Message, "failed calling webhook"):
		return status // an admission webhook that does not answer, with failurePolicy Fail
	}
	return nil
}

// refusalPrefix is what a condition says before the words of the refuser.
const refusalPrefix = "the API server refuses a write of Headgate, which tries again every few seconds: "

// refuserWords returns what comes after refusalPrefix in a condition.
func refuserWords(message string) string {
	if _, words, found := strings.Cut(message, refusalPrefix); found {
		return words
	}
	return message
}

// nameWrite returns the words of the refuser after the write that it refused, because
// an admission webhook seldom names the object:
//
//	updating Ingress "shop/web-canary": admission webhook "policy.example.com" denied the request
//
// That is the text of the innermost error that wraps status in err.
func nameWrite(err error, status *apierrors.StatusError) string {
	for text := status.Error(); ; {
		switch e := err.(type) { //nolint:errorlint // it goes down one error at a time
		case interface{ Unwrap() error }:
			text, err = err.Error(), e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			first := slices.IndexFunc(all, func(e error) bool { return refused(e) != nil })
			if first < 0 {
				return status.Error()
			}
			text, err = all[first].Error(), all[first]
		default:
			return text
		}
	}
}

// reportRefusal says where the user looks that a write was refused, in the words of
// the refuser. The condition stays until the write succeeds; the time of its last
// transition is when the refusals began. d is the decision that could not be carried
// out to its end.
func (r *Reconciler) reportRefusal(ctx context.Context, s *snapshot, d rollout.Decision, err error) error {
	status := refused(err)
	if status == nil {
		return nil
	}
	message := refusalPrefix + normalizeMessage(nameWrite(err, status), canaryName(s.dep))
	if d.Phase == spec.RolledBack && !s.Traffic.Routed {
		message = "rolled back, stable serves all traffic, but " + message
	}
	if id := s.target.Rollout; id != "" {
		message = "rollout " + id + ": " + message
	}
	c := s.condition
	if c != nil && c.Reason == string(reason.WriteRefused) && c.Message == message {
		return nil
	}
	report := rollout.Decision{Reason: reason.WriteRefused, Message: message, Phase: s.Stable.Phase}
	key, note := client.ObjectKeyFromObject(s.dep), rollout.Note{Reason: report.Reason, Message: message}
	failed := r.writeConditions(ctx, s, append(s.kstatusConditions(report), s.outcomeCondition(report)))
	if failed != nil && refused(failed) == nil {
		return failed
	}
	// Where the condition is refused too, the event is all that the user sees of it.
	if !r.refusals.is(key, message) {
		r.emit(ctx, s, "Refused", note)
		r.refusals.set(key, message)
	}
	return failed
}
