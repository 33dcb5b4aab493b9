// Package gate asks HTTP gates whether a rollout may go on: it sends the question
// as JSON and reads the status of the answer, nothing else.
//
// The controller calls Gatekeeper.Ask; the webhook calls Allowed.Check, so that a
// gate that would never open is refused where it is written. The package does not
// decide what a rollout asks, or what follows from a no; that is package rollout's.
//
// A gate is a URL in an annotation, so whoever may annotate a Deployment has this
// program send requests from where it stands. Two rules keep that harmless: the
// operator lists the addresses, each a scheme, a host with its port and a path,
// compared exactly (Allowed); and no redirect is followed, so that what is allowed
// cannot send the question on. Of an answer nothing but its status is shown.
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
	// maxAsk bounds one Ask, whatever timeouts and retries its gates add up to: a
	// worker of the controller waits for it, and has other rollouts to look at.
	maxAsk = 30 * time.Second

	// memory is how long an answer stands, yes or no. Every event of a pod wakes a
	// rollout, and a gate should not hear of each.
	memory = 5 * time.Second

	// maxAnswers bounds what is remembered. Forgetting costs a request.
	maxAnswers = 1000
)

// Gatekeeper asks gates. It is safe for concurrent use.
type Gatekeeper struct {
	allowed Allowed
	client  *http.Client
	answers *cache.LRUExpireCache // of rollout.GateAnswer, by question
}

// New returns a Gatekeeper that asks what is allowed, through the proxy that
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.
func New(allowed Allowed) *Gatekeeper {
	return &Gatekeeper{
		allowed: allowed,
		client:  &http.Client{Transport: newTransport(), CheckRedirect: stay},
		answers: cache.NewLRUExpireCache(maxAnswers),
	}
}

// question is what an answer is remembered by.
type question struct {
	rollout.GateQuestion
	gates string
}

// Ask asks those of gates that stand before q.Before, in their order, until one
// is closed, and takes half a minute at most. It does not fail: a gate that does not
// answer, or that the operator does not allow, is closed. Where there is none the
// way is open. The same question within five seconds gets the same answer.
func (k *Gatekeeper) Ask(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) rollout.GateAnswer {
	var asked []spec.Gate
	for _, g := range gates {
		if g.Before == q.Before {
			asked = append(asked, g)
		}
	}
	key := question{q, fmt.Sprint(asked)}
	if answer, ok := k.answers.Get(key); ok {
		return answer.(rollout.GateAnswer)
	}
	closed := k.firstClosed(ctx, asked, q)
	answer := rollout.GateAnswer{Point: q.Before, Open: closed == "", Message: closed}
	if ctx.Err() == nil { // or this program is about to end, and that is no gate's doing
		k.answers.Add(key, answer, memory)
	}
	return answer
}

// firstClosed is which gate is closed and why; "" if all are open.
func (k *Gatekeeper) firstClosed(ctx context.Context, gates []spec.Gate, q rollout.GateQuestion) string {
	body, err := json.Marshal(q)
	if err != nil {
		return err.Error() // cannot happen: it is strings and a number
	}
	ctx, cancel := context.WithTimeout(ctx, maxAsk)
	defer cancel()
	for _, g := range gates {
		if err := k.allowed.Check([]spec.Gate{g}); err != nil {
			return err.Error()
		}
		if open, said := k.ask(ctx, g, body); !open {
			return shown(g.URL) + " " + said
		}
	}
	return ""
}

// shown is address, quoted, for a condition and an event: without its query,
// which may hold a secret, and no longer than an event carries.
func shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return fmt.Sprintf("%.200q", address)
}
