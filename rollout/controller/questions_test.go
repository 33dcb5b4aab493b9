package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// quiz is questions whose answers are texts. It counts what is asked at the same time.
type quiz struct {
	questions[string]
	queue workqueue.TypedInterface[ctrl.Request]

	lock    sync.Mutex
	running map[string]int // by namespace
	most    map[string]int // of running, ever; "" is all namespaces together
	asked   int
}

func newQuiz(t *testing.T) *quiz {
	q := &quiz{running: map[string]int{}, most: map[string]int{}, queue: workqueue.NewTyped[ctrl.Request]()}
	q.useless = func(answer string) bool { return answer == "timed out" }
	q.instead = func(why string) string { return why }
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); q.queue.ShutDown() })
	q.start(ctx, q.queue)
	return q
}

// ask gets the answer about a Deployment, which is answer after a time.
func (q *quiz) ask(namespace, name, text, answer string, after time.Duration) (string, bool) {
	return q.get(context.Background(), types.NamespacedName{Namespace: namespace, Name: name}, text, func(ctx context.Context) string {
		q.count(namespace, 1)
		defer q.count(namespace, -1)
		select {
		case <-time.After(after):
			return answer
		case <-ctx.Done():
			return "timed out"
		}
	})
}

func (q *quiz) count(namespace string, n int) {
	q.lock.Lock()
	defer q.lock.Unlock()
	q.asked += max(n, 0)
	for _, key := range []string{"", namespace} {
		q.running[key] += n
		q.most[key] = max(q.most[key], q.running[key])
	}
}

// timesAsked is how many questions were asked so far.
func (q *quiz) timesAsked() int {
	q.lock.Lock()
	defer q.lock.Unlock()
	return q.asked
}

// inBubble runs f with a fake clock, on which waiting takes no time.
func inBubble(t *testing.T, f func(*testing.T, *quiz)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newQuiz(t)) })
}

// TestQuestionsAreAnsweredAtOnceBeforeTheStart is what unit tests of the controller
// rest on.
func TestQuestionsAreAnsweredAtOnceBeforeTheStart(t *testing.T) {
	var q questions[string]
	q.forget(types.NamespacedName{})
	if answer, ok := q.get(t.Context(), types.NamespacedName{}, "", func(context.Context) string { return "yes" }); answer != "yes" || !ok {
		t.Errorf("got %q, %v", answer, ok)
	}
}

func TestAnswersQueueTheDeploymentAndAreTakenOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		if _, ok := q.ask("shop", "web", "weight 10", "fine", time.Second); ok {
			t.Fatal("there is an answer before anybody can know")
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if _, ok := q.ask("shop", "web", "weight 10", "fine", time.Second); ok || q.timesAsked() != 1 {
			t.Errorf("answered %v, asked %d times", ok, q.timesAsked())
		}
		request, _ := q.queue.Get()
		if request.Name != "web" || request.Namespace != "shop" {
			t.Errorf("queued %s", request)
		}
		if answer, ok := q.ask("shop", "web", "weight 10", "fine", time.Second); answer != "fine" || !ok {
			t.Errorf("got %q, %v", answer, ok)
		}
		if _, ok := q.ask("shop", "web", "weight 10", "fine", time.Second); ok {
			t.Error("an answer is taken twice")
		}
	})
}

// A panic in one question is an answer that says so, and the questions of others go on.
func TestAPanicIsAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		bad := types.NamespacedName{Namespace: "shop", Name: "bad"}
		panics := func(context.Context) string { panic("no such metric") }
		q.get(t.Context(), bad, "weight 10", panics)
		q.ask("shop", "web", "weight 10", "fine", time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if answer, ok := q.get(t.Context(), bad, "weight 10", panics); !ok || !strings.Contains(answer, "no such metric") {
			t.Errorf("got %q, %v", answer, ok)
		}
		if answer, ok := q.ask("shop", "web", "weight 10", "fine", time.Second); answer != "fine" || !ok {
			t.Errorf("beside it, got %q, %v", answer, ok)
		}
	})
}

// An answer about another state of the rollout, or one that is old, is no answer.
func TestAnswersToAnotherQuestionAreDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		q.ask("shop", "web", "weight 10", "fine", time.Second)
		q.ask("shop", "web", "weight 50", "bad", 2*time.Second)
		time.Sleep(3 * time.Second)
		if answer, ok := q.ask("shop", "web", "weight 50", "", 0); answer != "bad" || !ok {
			t.Errorf("got %q, %v", answer, ok)
		}
		q.ask("shop", "web", "weight 50", "fine", time.Second)
		time.Sleep(2*time.Second + answerLifetime)
		if _, ok := q.ask("shop", "web", "weight 50", "fine", time.Second); ok {
			t.Error("an old answer is taken")
		}
	})
}

func TestForgottenQuestionsAreCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		q.ask("shop", "web", "weight 10", "fine", time.Hour)
		q.forget(types.NamespacedName{Namespace: "shop", Name: "web"})
		synctest.Wait()
		if q.running[""] != 0 || q.queue.Len() != 0 || q.total != 0 || len(q.questions.running) != 0 {
			t.Errorf("running %v, queued %d, slots %d", q.running, q.queue.Len(), q.total)
		}
	})
}

// 40 Deployments of one namespace, whose questions hang, leave the slots of every other
// namespace free. Their own namespace is not asked for ever.
func TestSlowQuestionsDelayNoOtherNamespace(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		for i := range 40 {
			q.ask("slow", fmt.Sprint(i), "", "", time.Hour)
		}
		q.ask("shop", "web", "", "fine", time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		if answer, ok := q.ask("shop", "web", "", "", 0); answer != "fine" || !ok {
			t.Errorf("after a second the other namespace has %q, %v", answer, ok)
		}
		time.Sleep(2 * questionTimeout)
		synctest.Wait()
		refused := 0
		for i := range 40 {
			answer, ok := q.ask("slow", fmt.Sprint(i), "", "", time.Hour)
			if !ok {
				continue // its answer became too old
			}
			if strings.HasPrefix(answer, "not asked: the last 5 questions of this namespace") {
				refused++
			}
		}
		if most := q.most["slow"]; most != maxQuestionsPerNamespace {
			t.Errorf("%d questions of one namespace were asked at the same time", most)
		}
		if refused < 30 {
			t.Errorf("only %d of 40 questions were answered without being asked", refused)
		}
	})
}

// After a pause one question finds out whether the namespace answers again.
func TestSlowNamespacesAreAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		for i := range maxSlow {
			q.ask("shop", fmt.Sprint(i), "", "", time.Hour)
		}
		time.Sleep(2*questionTimeout + slowPause + time.Second)
		q.ask("shop", "web", "", "fine", 0)
		synctest.Wait()
		if answer, ok := q.ask("shop", "web", "", "", 0); answer != "fine" || !ok {
			t.Errorf("got %q, %v", answer, ok)
		}
	})
}

// Whatever is asked, forgotten and slow: the bounds hold, and in the end every question
// is answered and every slot is free.
func TestQuestionsStayWithinTheirBounds(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		for i := range 2000 {
			namespace, name := fmt.Sprint(i%30), fmt.Sprint(i%7)
			q.ask(namespace, name, fmt.Sprint(i%11), "fine", time.Duration(i*7919%5000)*time.Millisecond)
			if i%13 == 0 {
				q.forget(types.NamespacedName{Namespace: namespace, Name: name})
			}
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for namespace, most := range q.most {
			if limit := map[bool]int{true: maxQuestions, false: maxQuestionsPerNamespace}[namespace == ""]; most > limit {
				t.Errorf("namespace %q: %d at the same time", namespace, most)
			}
		}
		if q.most[""] != maxQuestions {
			t.Errorf("%d at the same time, want all %d slots in use", q.most[""], maxQuestions)
		}
		if q.total != 0 || len(q.questions.running) != 0 || len(q.turns) != 0 || len(q.waiting) != 0 {
			t.Errorf("left: %d slots, %v, turns %v, waiting %v", q.total, q.questions.running, q.turns, q.waiting)
		}
		for key, asked := range q.questions.asked {
			if asked.answer == nil {
				t.Errorf("%s never got an answer", key)
			}
		}
	})
}

// Namespaces take turns: the second question of one does not come before the first of
// another.
func TestNamespacesTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, q *quiz) {
		for i := range maxQuestions {
			q.ask(fmt.Sprint("busy", i), "web", "", "fine", time.Hour)
		}
		for _, name := range []string{"a/1", "a/2", "a/3", "b/1", "c/1"} {
			namespace, deployment, _ := strings.Cut(name, "/")
			q.ask(namespace, deployment, "", "fine", time.Hour)
		}
		q.questions.lock.Lock()
		defer q.questions.lock.Unlock()
		q.total = 0 // as if every slot became free
		var turns []string
		for next := q.takeTurn(); next != nil; next = q.takeTurn() {
			turns = append(turns, next.deployment.Namespace+"/"+next.deployment.Name)
		}
		q.total = maxQuestions
		if want := []string{"a/1", "b/1", "c/1", "a/2", "a/3"}; !slices.Equal(turns, want) {
			t.Errorf("the turns were %v, want %v", turns, want)
		}
	})
}
