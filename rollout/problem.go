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
