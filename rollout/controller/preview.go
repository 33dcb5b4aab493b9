package controller

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// previews remembers for which rollouts the API server refused the preview: a quota
// or a policy. A rollout goes on without its preview, so the refusal is no
// WriteRefused. Nothing is lost in a restart: the next write of the preview is
// refused again.
type previews struct{ perDeployment[refusedPreview] }

type refusedPreview struct{ rollout, message string }

// remember keeps what the last write of the preview came to. A conflict or a time-out
// is no refusal: it changes nothing.
func (p *previews) remember(s *snapshot) {
	key, status := client.ObjectKeyFromObject(s.dep), refused(s.previewErr)
	switch {
	case status != nil:
		p.set(key, refusedPreview{s.target.Rollout, normalizeMessage(status.ErrStatus.Message, canaryName(s.dep))})
	case s.previewErr == nil:
		p.forget(key)
	}
}

// refusal returns why the preview of t could not be written, in the words of the
// refuser. nil: it was written, or not tried yet.
func (p *previews) refusal(t rollout.Target) *rollout.Problem {
	last, ok := p.get(client.ObjectKeyFromObject(t.Deployment))
	if !ok || last.rollout != t.Rollout || t.Spec.PreviewHost == "" {
		return nil
	}
	return &rollout.Problem{
		Reason:  reason.PreviewDropped,
		Message: "the API server refuses to write it: " + last.message,
	}
}
