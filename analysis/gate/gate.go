package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

const (
	// askTimeout bounds one Ask, whatever the timeouts and retries of its gates add up
	// to: other rollouts of the namespace may wait for it.
	askTimeout = 30 * time.Second

	// answerLifetime is how long an answer is reused, open or closed. Every event of
	// a pod causes a reconcile, and not every reconcile should send a request.
	answerLifetime = 5 * time.Second

	// maxAnswers is how many answers are kept. A dropped one costs one request.
	maxAnswers = 1000
)

// Gatekeeper asks gates. It is safe for concurrent use.
type Gatekeeper struct {
	allowed Allowed
	client  *http.Client
	answers *cache.LRUExpireCache // of rollout.GateAnswer, by answerKey
}

// New returns a Gatekeeper that asks what is allowed, through the proxy that
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.
func New(allowed Allowed) *Gatekeeper {
	return &Gatekeeper{
		allowed: allowed,
		client:  &http.Client{Transport: newTransport(), CheckRedirect: refuseRedirect},
		answers: cache.NewLRUExpireCache(maxAnswers),
	}
}

// answerKey identifies an answer: the same question to the same gates.
type answerKey struct {
	rollout.GateQuestion
	gates string // with their timeouts and retries
}

// Ask asks the gates of the point q.Before, in their order, until one is closed. The
// answer is open if all are open, or if there are none. Ask takes half a minute at
// most. It does not fail: a gate that does not answer, or that the operator does not
// allow, is closed. The same question within five seconds gets the same answer.
func (k *Gatekeeper) Ask(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) rollout.GateAnswer {
	var asked []spec.Gate
	for _, g := range gates {
		if g.Before == q.Before {
			asked = append(asked, g)
		}
	}
	key := answerKey{q, fmt.Sprint(asked)}
	if answer, ok := k.answers.Get(key); ok {
		return answer.(rollout.GateAnswer)
	}
	closed := k.firstClosed(ctx, asked, q)
	answer := rollout.GateAnswer{Point: q.Before, Open: closed == "", Message: closed}
	if ctx.Err() == nil { // else the manager is stopping, and the answer says nothing about the gates
		k.answers.Add(key, answer, answerLifetime)
	}
	return answer
}

// firstClosed says which gate is closed and why. "" if all are open.
func (k *Gatekeeper) firstClosed(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) string {
	body, err := json.Marshal(q)
	if err != nil {
		return err.Error() // cannot happen: q has only strings and a number
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, g := range gates {
		if err := k.allowed.Check([]spec.Gate{g}); err != nil {
			return err.Error()
		}
		if open, said := k.askWithRetries(ctx, g, body); !open {
			return quoted(g.URL) + " " + said
		}
	}
	return ""
}

// quoted is address in quotes, for a condition and an event: without its query, which
// may contain a secret, and cut to 200 characters, so that it fits into an event.
func quoted(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return fmt.Sprintf("%.200q", address)
}
