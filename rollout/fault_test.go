package rollout_test

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout/internal/apisim"
)

// faultEffect is what becomes of a write that meets a fault.
type faultEffect string

const (
	timesOut        faultEffect = "times out"
	timesOutButDone faultEffect = "times out, but takes effect"
	failsInside     faultEffect = "fails inside the API server"
	overQuota       faultEffect = "is refused: quota"
	againstPolicy   faultEffect = "is refused: policy"
	webhookSilent   faultEffect = "is refused: a webhook does not answer"
	hangs           faultEffect = "hangs"
	hangsButDone    faultEffect = "hangs, but takes effect"
)

var faultEffects = []faultEffect{
	timesOut, timesOutButDone, failsInside, overQuota, againstPolicy, webhookSilent, hangs, hangsButDone,
}

func (e faultEffect) done() bool { return e == timesOutButDone || e == hangsButDone }

// fault is of any writes, or of those of one kind and verb.
type fault struct {
	kind, verb string // "": any
	after      int    // so many of them are spared first
	writes     int    // so many of them meet it
	until      time.Time
	effect     faultEffect
}

func verbOf(write apisim.Write) string {
	if write.Sub != "" {
		return write.Sub
	}
	return write.Verb
}

// due is the fault that a write meets. nil: none.
func (w *world) due(write apisim.Write) *fault {
	m := &w.manager
	m.faults = slices.DeleteFunc(m.faults, func(f *fault) bool { return f.writes <= 0 || !f.until.After(w.now) })
	for _, f := range m.faults {
		switch {
		case f.kind != "" && f.kind != write.Kind, f.verb != "" && f.verb != verbOf(write):
		case f.after > 0:
			f.after--
		default:
			f.writes--
			return f
		}
	}
	return nil
}

// faulty lets a write take effect, or what is due instead.
func (w *world) faulty(ctx context.Context, write apisim.Write, commit func() error) error {
	f := w.due(write)
	if w.refuses != nil && w.refuses(write) {
		return apierrors.NewBadRequest(`admission webhook "policy.example.com" denied the request`)
	}
	if f == nil {
		return commit()
	}
	w.say("fate", "%s %s %s %s", write.Kind, write.Key.Name, verbOf(write), f.effect)
	if f.effect.done() {
		if err := commit(); err != nil {
			return err
		}
	}
	p, resource := w.manager.pass, schema.GroupResource{Resource: write.Kind}
	switch f.effect {
	case timesOut, timesOutButDone:
		w.elapse(2 * time.Second)
		return apierrors.NewTimeoutError("etcdserver: request timed out", 1)
	case failsInside:
		return apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
	case overQuota:
		return apierrors.NewForbidden(resource, write.Key.Name, errors.New(refusal))
	case againstPolicy:
		return apierrors.NewBadRequest(`admission webhook "validate.kyverno.svc" denied the request: ` + refusal)
	case webhookSilent:
		return apierrors.NewInternalError(errors.New(`failed calling webhook "validate.example.com": ` + refusal))
	case hangs, hangsButDone:
		p.hang(ctx)
		return context.DeadlineExceeded
	}
	return nil
}

// hang lets the time of ctx pass. That is the rest of the pass, or less where the
// manager gives a part of it less. Deadlines of contexts are by the clock of the
// machine; what is left of them is taken by the clock of the world.
func (p *pass) hang(ctx context.Context) {
	rest := p.deadline.Sub(p.w.now)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline).Round(10*time.Second) / (reconcileTimeout / p.w.passTimeout)
		if left < rest {
			p.over[ctx] = true
			p.w.elapse(left)
			return
		}
	}
	p.w.elapse(rest)
	p.cancel()
}

// drawFault is any fault.
func (w *world) drawFault(t *rapid.T) *fault {
	return &fault{
		kind:   rapid.SampledFrom([]string{"", "Ingress", "Deployment", "Service", "Job", "HorizontalPodAutoscaler"}).Draw(t, "kind"),
		verb:   rapid.SampledFrom([]string{"", "patch", "delete", "create", "status"}).Draw(t, "verb"),
		after:  rapid.IntRange(0, 5).Draw(t, "spared writes"),
		writes: rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "failing writes"),
		until:  w.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, 20 * time.Minute}).Draw(t, "for")),
		effect: rapid.SampledFrom(faultEffects).Draw(t, "effect"),
	}
}

// refusal are the words of whoever refuses.
const refusal = "the label team is required"

// isStale says that somebody else wrote first.
func isStale(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
