package robust

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// updates are new templates of several Deployments, written one after the other. Each runs
// already and has no Service: so each template is to be held, and stays so.
type updates struct {
	*testing.T
	stop func()

	mu      sync.Mutex
	stored  int
	refused []refusal
	unheld  []string
}

type refusal struct {
	at   time.Time
	text string
}

const fleet = 4

// updateAlways writes until the test ends, or until it is stopped.
func updateAlways(t *testing.T) *updates {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "updates-"}}
	must(t, shared.Client().Create(t.Context(), ns))
	t.Cleanup(func() { _ = shared.Client().Delete(context.Background(), ns) })
	var all []*appsv1.Deployment
	for i := range fleet {
		dep := lab.Sample{
			Namespace: ns.Name, Name: fmt.Sprintf("web-%d", i), Version: "v0", Annotations: map[string]string{spec.AnnotationStrategy: "canary"},
		}.Deployment()
		must(t, shared.Client().Create(t.Context(), dep))
		must(t, shared.Available(within(t, time.Minute), dep))
		all = append(all, dep)
	}
	u := &updates{T: t}
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			u.write(ctx, all[n%fleet].DeepCopy(), lab.Image(fmt.Sprint("v", n)))
			time.Sleep(20 * time.Millisecond)
		}
	})
	u.stop = func() {
		cancel()
		writing.Wait()
	}
	t.Cleanup(u.stop)
	return u
}

func (u *updates) write(ctx context.Context, dep *appsv1.Deployment, image string) {
	patch := client.RawPatch(types.StrategicMergePatchType,
		fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, image))
	err := shared.Client().Patch(ctx, dep, patch)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		u.refused = append(u.refused, refusal{time.Now(), err.Error()})
	default:
		u.stored++
		if !dep.Spec.Paused || dep.Annotations[spec.AnnotationRollout] == "" {
			u.unheld = append(u.unheld, fmt.Sprintf("%s of %s", image, dep.Name))
		}
	}
}

// over stops the writes. It returns those that were refused.
func (u *updates) over() []refusal {
	u.Helper()
	u.stop()
	if len(u.unheld) > 0 {
		u.Errorf("went out unheld: %v", u.unheld)
	}
	if u.stored == 0 {
		u.Error("no update was stored")
	}
	u.Logf("%d updates were stored, %d refused", u.stored, len(u.refused))
	return u.refused
}

// none checks that no update was refused.
func (u *updates) none() {
	u.Helper()
	if refused := u.over(); len(refused) > 0 {
		u.Errorf("%d updates were refused: %s", len(refused), refused[0].text)
	}
}
