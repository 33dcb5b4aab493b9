package cleanup

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// Unjudged says what becomes of a template that is held and not judged yet.
type Unjudged string

// What becomes of it. One that was rolled back is never shipped.
const (
	Undo Unjudged = "undo" // the template of stable comes back
	Ship Unjudged = "ship" // it is released, without the steps that are left
)

// interval is how often Run looks. It reads from a cache, so a look costs nothing.
const interval = time.Second

// autoscalerPatience is how long an autoscaler that would scale down at once stays held
// after the end of its rollout. A manager keeps it held for longer, but a minute after the
// traffic came back its metrics show the whole load.
const autoscalerPatience = time.Minute

// Autoscalers finds and frees the autoscalers that are held for a rollout.
type Autoscalers interface {
	// HeldFor returns the Deployments for which obj is held. None: it is not held.
	HeldFor(obj client.Object) []types.NamespacedName

	// Free frees the autoscalers that are held for deployment, as goal says.
	Free(ctx context.Context, deployment types.NamespacedName, goal rollout.ScaleDownGoal, report func(rollout.Note)) (kept bool, err error)
}

// Cleanup ends the rollouts of some namespaces. All fields are required.
type Cleanup struct {
	Client      client.Client // its reads may come from a cache
	Live        client.Reader // reads from the API server
	Autoscalers Autoscalers
	Namespaces  []string // "" is every namespace
	Unjudged    Unjudged
	Print       func(line string)

	told    map[types.NamespacedName]string
	undone  map[types.NamespacedName]int
	shipped map[types.NamespacedName]string // the rollout that ship was for
	freeAt  map[types.NamespacedName]time.Time
}

// Run returns nil when no rollout and no object of one is left. When ctx is done, the error
// says what is left of which Deployment, and what a person can do about it.
func (c *Cleanup) Run(ctx context.Context) error {
	c.told, c.shipped = map[types.NamespacedName]string{}, map[types.NamespacedName]string{}
	c.undone, c.freeAt = map[types.NamespacedName]int{}, map[types.NamespacedName]time.Time{}
	var left []leftover
	for {
		now, err := c.look(ctx)
		switch {
		case err == nil && len(now) == 0:
			c.tellDone(left, nil)
			return nil
		case err == nil:
			c.tellDone(left, now)
			left = now
			for i := range left {
				c.advance(ctx, &left[i])
			}
		case apierrors.IsForbidden(err):
			return err
		default:
			c.tell(types.NamespacedName{}, err.Error()) // the API server may be away for a while
		}
		select {
		case <-ctx.Done():
			return unfinished(ctx, left, err)
		case <-time.After(interval):
		}
	}
}

// look returns what is left, as the cache has it. That nothing is left is confirmed by the
// API server.
func (c *Cleanup) look(ctx context.Context) ([]leftover, error) {
	left, err := c.find(ctx, c.Client, false)
	if err != nil || len(left) > 0 {
		return left, err
	}
	return c.find(ctx, c.Live, true)
}

// Plan says what Run would do, one line for each Deployment.
func (c *Cleanup) Plan(ctx context.Context) error {
	left, err := c.find(ctx, c.Live, true)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		c.Print("no rollout is under way, and nothing of one is left")
	}
	var failed []error
	for i := range left {
		rest := &left[i]
		plan, err := c.plan(ctx, rest)
		if err != nil { // the others are planned all the same
			failed = append(failed, fmt.Errorf("%s: %w", rest.deployment, err))
			continue
		}
		c.Print(rest.deployment.String() + ": " + plan)
	}
	return errors.Join(failed...)
}

func (c *Cleanup) plan(ctx context.Context, rest *leftover) (string, error) {
	switch c.stepFor(rest) {
	case stepUndo:
		stable, err := c.stableOf(ctx, rest.dep)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("would put the template of %s back: %s", stable, rest.why()), nil
	case stepShip:
		return "would release the template without the steps that are left: " + rest.why(), nil
	default:
		return "would wait for the manager: " + rest.why(), nil
	}
}

// step is what Cleanup writes for a Deployment.
type step int

const (
	stepWait step = iota
	stepUndo
	stepShip
)

func (c *Cleanup) stepFor(rest *leftover) step {
	switch {
	case !rest.undecided():
		return stepWait
	case c.Unjudged == Ship && !rest.rolledBack():
		return stepShip
	}
	return stepUndo
}

// advance makes the write that rest needs, and tells what is waited for. It tries again at
// the next look where somebody else wrote meanwhile.
func (c *Cleanup) advance(ctx context.Context, rest *leftover) {
	var err error
	switch c.stepFor(rest) {
	case stepUndo:
		err = c.undo(ctx, rest)
	case stepShip:
		err = c.ship(ctx, rest)
	case stepWait:
		c.tell(rest.deployment, "waits: "+rest.why())
		err = c.freeAutoscalers(ctx, rest)
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		rest.refused = err.Error()
		c.tell(rest.deployment, rest.refused)
	}
}

// freeAutoscalers frees autoscalers that are all that is left of a rollout.
func (c *Cleanup) freeAutoscalers(ctx context.Context, rest *leftover) error {
	if !rest.onlyAutoscalers {
		delete(c.freeAt, rest.deployment)
		return nil
	}
	at, ok := c.freeAt[rest.deployment]
	if !ok {
		at = time.Now().Add(autoscalerPatience)
		c.freeAt[rest.deployment] = at
	}
	if time.Now().Before(at) {
		return nil
	}
	_, err := c.Autoscalers.Free(ctx, rest.deployment, rollout.FreeAll, func(note rollout.Note) {
		c.tell(rest.deployment, note.Message)
	})
	return err
}

// tell prints a line about a Deployment, or about none where it has no name, unless the last one said the same.
func (c *Cleanup) tell(deployment types.NamespacedName, text string) {
	if c.told[deployment] != text {
		c.told[deployment] = text
		if deployment.Name != "" {
			text = deployment.String() + ": " + text
		}
		c.Print(text)
	}
}

// tellDone tells of the Deployments of which nothing is left any more.
func (c *Cleanup) tellDone(before, now []leftover) {
	still := map[types.NamespacedName]bool{}
	for i := range now {
		still[now[i].deployment] = true
	}
	for i := range before {
		if d := before[i].deployment; !still[d] {
			c.tell(d, "done")
		}
	}
}
