package rollout

import (
	"github.com/headgate/headgate/rollout/reason"
)

// Problem is a precondition that does not hold. Message says what to change. As an
// error it is that message.
type Problem struct {
	Reason  reason.Reason
	Message string
}

func (p *Problem) Error() string { return p.Message }

// PreviewError is the error of a Router that wrote everything but the preview. Its
// text is that of Err.
type PreviewError struct{ Err error }

func (e *PreviewError) Error() string { return e.Err.Error() }

// Unwrap lets a conflict be told from a refusal.
func (e *PreviewError) Unwrap() error { return e.Err }
