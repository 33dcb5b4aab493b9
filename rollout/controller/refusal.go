package controller

import (
	"context"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
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

// reportRefusal says where the user looks that a write was refused, in the words of
// the refuser. The condition stays until the write succeeds; the time of its last
// transition is when the refusals began.
func (r *Reconciler) reportRefusal(ctx context.Context, s *snapshot, err error) error {
	status := refused(err)
	if status == nil {
		return nil
	}
	message := "the API server refuses a write of Headgate, which tries again every few seconds: " +
		normalizeMessage(status.ErrStatus.Message, canaryName(s.dep))
	if id := s.target.Rollout; id != "" {
		message = "rollout " + id + ": " + message
	}
	c := s.condition
	if c != nil && c.Reason == string(reason.WriteRefused) && c.Message == message {
		return nil
	}
	d := rollout.Decision{Reason: reason.WriteRefused, Message: message, Phase: s.Stable.Phase}
	if err := r.writeConditions(ctx, s, []condition{s.outcomeCondition(d)}); err != nil {
		return err
	}
	r.emit(ctx, s, "Refused", rollout.Note{Reason: d.Reason, Message: message})
	return nil
}
