package controller

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// maxQuestions and maxQuestionsPerNamespace bound how many questions of a kind
	// are asked at the same time.
	maxQuestions             = 64
	maxQuestionsPerNamespace = 4

	// questionTimeout is how long one question may take. 20 queries of 10 s, four at a
	// time, take 50 s.
	questionTimeout = time.Minute

	// slowAfter is how long a question without a useful answer must have taken to
	// count as slow. After maxSlow slow ones in a row, the questions of that namespace
	// are not asked for slowPause. Then one of them finds out whether that helps.
	slowAfter = 3 * time.Second
	maxSlow   = 5
	slowPause = 30 * time.Second

	// answerLifetime is how old an answer may be when the next reconcile takes it.
	answerLifetime = 30 * time.Second

	// maxBreakers is how many namespaces are remembered as slow or not.
	maxBreakers = 1000
)

// questions asks what may take long, measurements or gates, beside the workers of the
// controller. A worker never waits for an answer: it takes one that is there, or leaves
// the question and comes back when it is answered.
//
//	worker   ask ──► nothing yet                        ask ──► the answer, once
//	            │                                        ▲
//	slot        └─► waits for a slot ─► asks ─► answered ┘ the Deployment is queued
//
// Slow questions of one namespace do not delay those of another: each namespace has few
// slots, and a namespace whose questions only ever time out gets none for a while. The
// zero value answers at once, on the caller's goroutine.
type questions[A any] struct {
	// useless says whether an answer only tells that there was none.
	useless func(A) bool

	// instead is the answer to a question that is not asked because the last ones of
	// its namespace were slow.
	instead func(why string) A

	lock     sync.Mutex
	ctx      context.Context                        //nolint:containedctx // of the controller: it outlives a reconcile
	queue    workqueue.TypedInterface[ctrl.Request] // nil: not started
	asked    map[types.NamespacedName]*question[A]
	waiting  map[string][]*question[A] // by namespace, the oldest first
	turns    []string                  // the namespaces in waiting, the next one first
	running  map[string]int            // by namespace
	total    int                       // of running
	breakers *lru.Cache                // of *gobreaker.CircuitBreaker[A], by namespace
}

// question is one question about one Deployment.
type question[A any] struct {
	deployment types.NamespacedName
	text       string // tells this question from any other about the Deployment
	ask        func(context.Context) A

	ctx      context.Context //nolint:containedctx // cancelled when nobody wants the answer any more
	cancel   context.CancelFunc
	answer   *A
	answered time.Time
}

// start lets questions be asked until ctx is done. It queues a Deployment when its
// question is answered.
func (q *questions[A]) start(ctx context.Context, queue workqueue.TypedInterface[ctrl.Request]) {
	q.lock.Lock()
	defer q.lock.Unlock()
	q.ctx, q.queue = ctx, queue
	q.asked, q.waiting, q.running = map[types.NamespacedName]*question[A]{}, map[string][]*question[A]{}, map[string]int{}
	q.breakers = lru.New(maxBreakers)
}

// get returns the answer to text, and whether there is one yet. If there is none, it is
// being asked from now on. Every answer is returned once. Another text about the same
// Deployment takes the place of the one before.
func (q *questions[A]) get(ctx context.Context, deployment types.NamespacedName, text string, ask func(context.Context) A) (A, bool) {
	q.lock.Lock()
	if q.queue == nil {
		q.lock.Unlock()
		return ask(ctx), true
	}
	defer q.lock.Unlock()
	var none A
	switch asked := q.asked[deployment]; {
	case asked == nil || asked.text != text, asked.answer != nil && time.Since(asked.answered) > answerLifetime:
		q.drop(deployment)
	case asked.answer == nil:
		return none, false
	default:
		q.drop(deployment)
		return *asked.answer, true
	}
	next := &question[A]{deployment: deployment, text: text, ask: ask}
	next.ctx, next.cancel = context.WithCancel(q.ctx)
	q.asked[deployment] = next
	if q.waiting[deployment.Namespace] == nil {
		q.turns = append(q.turns, deployment.Namespace)
	}
	q.waiting[deployment.Namespace] = append(q.waiting[deployment.Namespace], next)
	q.fillSlots()
	return none, false
}

// forget drops the question about deployment, if there is one, and its answer.
func (q *questions[A]) forget(deployment types.NamespacedName) {
	q.lock.Lock()
	defer q.lock.Unlock()
	q.drop(deployment)
}

func (q *questions[A]) drop(deployment types.NamespacedName) {
	if asked := q.asked[deployment]; asked != nil {
		asked.cancel()
		delete(q.asked, deployment)
	}
}

// fillSlots starts questions that wait, one of each namespace in turn, as long as there
// are slots.
func (q *questions[A]) fillSlots() {
	for {
		next := q.takeTurn()
		if next == nil {
			return
		}
		q.running[next.deployment.Namespace]++
		q.total++
		breaker := q.breakerOf(next.deployment.Namespace)
		go q.run(next, breaker)
	}
}

// takeTurn removes from waiting the question whose turn it is. nil: none waits, or
// there is no slot for it.
func (q *questions[A]) takeTurn() *question[A] {
	for i := 0; i < len(q.turns) && q.total < maxQuestions; i++ {
		namespace := q.turns[i]
		if q.running[namespace] >= maxQuestionsPerNamespace {
			continue
		}
		next, rest := q.waiting[namespace][0], q.waiting[namespace][1:]
		q.turns = slices.Delete(q.turns, i, i+1)
		if len(rest) > 0 {
			q.waiting[namespace] = rest
			q.turns = append(q.turns, namespace)
		} else {
			delete(q.waiting, namespace)
		}
		return next
	}
	return nil
}

// run asks one question and keeps its answer, unless nobody wants it any more.
func (q *questions[A]) run(asked *question[A], breaker *gobreaker.CircuitBreaker[A]) {
	answer, err := breaker.Execute(func() (A, error) { return q.askInTime(asked) })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		answer = q.instead(fmt.Sprintf("not asked: the last %d questions of this namespace were not answered in time; "+
			"they are asked again after %s", maxSlow, slowPause))
	}
	q.lock.Lock()
	defer q.lock.Unlock()
	namespace := asked.deployment.Namespace
	q.total--
	if q.running[namespace]--; q.running[namespace] == 0 {
		delete(q.running, namespace)
	}
	if q.asked[asked.deployment] == asked {
		asked.answer, asked.answered = &answer, time.Now()
		q.queue.Add(ctrl.Request{NamespacedName: asked.deployment})
	}
	q.fillSlots()
}

var (
	errPanicked = errors.New("asking panicked")
	errSlow     = errors.New("no useful answer in time")
	errUnwanted = errors.New("nobody wants the answer any more")
)

// askInTime asks one question, for questionTimeout at most. Its error is for the
// circuit breaker alone. A panic is no answer: what one namespace stores or gets for an
// answer must not end the manager of all. controller-runtime does the same for a reconcile.
func (q *questions[A]) askInTime(asked *question[A]) (answer A, err error) {
	ctx, cancel := context.WithTimeout(asked.ctx, questionTimeout)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			ctrl.LoggerFrom(ctx).Error(fmt.Errorf("%w: %v", errPanicked, cause), "asking a question",
				"namespace", asked.deployment.Namespace, "deployment", asked.deployment.Name, "stack", string(debug.Stack()))
			answer, err = q.instead(fmt.Sprintf("not answered: Headgate has a fault, please report it: %v", cause)), errPanicked
		}
	}()
	began := time.Now()
	answer = asked.ask(ctx)
	switch {
	case asked.ctx.Err() != nil:
		return answer, errUnwanted
	case q.useless(answer) && time.Since(began) >= slowAfter:
		return answer, errSlow
	}
	return answer, nil
}

// breakerOf returns the circuit breaker of a namespace.
func (q *questions[A]) breakerOf(namespace string) *gobreaker.CircuitBreaker[A] {
	if b, ok := q.breakers.Get(namespace); ok {
		return b.(*gobreaker.CircuitBreaker[A])
	}
	b := gobreaker.NewCircuitBreaker[A](gobreaker.Settings{
		Name:        namespace,
		Timeout:     slowPause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= maxSlow },
		IsExcluded:  func(err error) bool { return errors.Is(err, errUnwanted) },
	})
	q.breakers.Add(namespace, b)
	return b
}
