package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// previews remembers for which rollouts the API server refused the preview: a quota
// or a policy. A rollout goes on without its preview, so the refusal is no
// WriteRefused. Nothing is lost in a restart: the next write of the preview is
// refused again. The zero value is ready to use.
type previews struct {
	mu      sync.Mutex
	refused map[types.NamespacedName]refusedPreview
}

type refusedPreview struct{ rollout, message string }

// remember keeps what the last write of the preview came to. A conflict or a time-out
// is no refusal: it changes nothing.
func (p *previews) remember(s *snapshot) {
	status := refused(s.previewErr)
	if s.previewErr != nil && status == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := client.ObjectKeyFromObject(s.dep)
	if status == nil {
		delete(p.refused, key)
		return
	}
	if p.refused == nil {
		p.refused = map[types.NamespacedName]refusedPreview{}
	}
	p.refused[key] = refusedPreview{s.target.Rollout, normalizeMessage(status.ErrStatus.Message, canaryName(s.dep))}
}

// refusal returns why the preview of t could not be written, in the words of the
// refuser. nil: it was written, or not tried yet.
func (p *previews) refusal(t rollout.Target) *rollout.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.refused[client.ObjectKeyFromObject(t.Deployment)]
	if !ok || last.rollout != t.Rollout || t.Spec.PreviewHost == "" {
		return nil
	}
	return &rollout.Problem{
		Reason:  reason.PreviewDropped,
		Message: "the API server refuses to write it: " + last.message,
	}
}

// forget is for a Deployment that is gone.
func (p *previews) forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.refused, key)
}
