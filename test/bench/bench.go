package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/bench/metrics"
	"github.com/headgate/headgate/test/lab"
)

// Options says what is measured and how large. Every field is required but Argo and Only.
type Options struct {
	// Only are the names of the figures to measure; empty: all.
	Only []string
	// Argo is where Argo Rollouts is; nil: Headgate is measured alone.
	Argo *ArgoRollouts
	// Runs is how often a figure about one rollout is measured.
	Runs int
	// Fleet is how many applications are managed at rest, and Burst how many of them are
	// updated at once.
	Fleet, Burst int
	// Busy is how many rollouts go on beside the one that is judged bad.
	Busy int
	// Soak is how long the soak lasts, with SoakFleet managed applications of which
	// SoakRolling roll at any time.
	Soak                   time.Duration
	SoakFleet, SoakRolling int
	// Deployments is how many there are in the cluster whose memory is measured.
	Deployments int
	// Settle is the settle time for the figures about rollouts with measurements. It must be
	// shorter than a wait of the steps: only what is measured after it counts.
	Settle time.Duration
	// Progress is called with a line whenever something begins or was measured.
	Progress func(line string)
}

// LabOptions is the lab that Run needs.
func LabOptions() lab.Options { return lab.Options{Node: true, Hollow: true, Headgate: true} }

// metricsAddress is on the lab's own machine, which every part reaches.
const metricsAddress = "10.255.0.1:9099"

// bench is a running benchmark.
type bench struct {
	Options
	lab     *lab.Lab
	client  client.WithWatch
	metrics *metrics.Server
	names   int // of namespaces, so far
}

// Labs starts a lab with the parts of LabOptions that nobody has used yet, under a name for
// its logs, and returns how to stop it.
type Labs func(ctx context.Context, name string) (l *lab.Lab, stop func(), err error)

// Run measures the figures. One that cannot be measured says why and does not end the run.
func Run(ctx context.Context, labs Labs, o Options) (*Report, error) {
	if err := Known(o.Only); err != nil {
		return nil, err
	}
	chosen, r := choose(o.Only), newReport(o)
	if slices.ContainsFunc(experiments, func(e experiment) bool { return e.wanted(chosen) }) {
		if err := runExperiments(ctx, labs, o, chosen, r); err != nil {
			return nil, err
		}
	}
	if largeCluster.wanted(chosen) {
		if err := runLargeCluster(ctx, labs, o, r); err != nil {
			return nil, err
		}
	}
	r.judge(chosen)
	return r, nil
}

func runExperiments(ctx context.Context, labs Labs, o Options, chosen []figure, r *Report) error {
	l, stop, err := labs(ctx, "rollouts")
	if err != nil {
		return err
	}
	defer stop()
	b := &bench{Options: o, lab: l, client: l.Client()}
	if b.metrics, err = metrics.Start(metricsAddress); err != nil {
		return err
	}
	defer b.metrics.Close()
	class := &netv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: lab.IngressClass},
		Spec:       netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
	}
	if err := b.client.Create(ctx, class); err != nil {
		return fmt.Errorf("create IngressClass %q: %w", lab.IngressClass, err)
	}
	url := "http://" + metricsAddress
	tools := []tool{headgate{lab: l, metrics: url}}
	if o.Argo != nil {
		tools = append(tools, &argoRollouts{ArgoRollouts: *o.Argo, lab: l, metrics: url})
	}
	for _, t := range tools {
		if err := b.measure(ctx, t, chosen, r); err != nil {
			return err
		}
	}
	return nil
}

// measure runs every experiment that a chosen figure needs, with t alone in the lab.
func (b *bench) measure(ctx context.Context, t tool, chosen []figure, r *Report) error {
	defer func() { _ = t.remove(context.WithoutCancel(ctx)) }() // the lab ends soon
	settle, installed := "", false
	for _, e := range experiments {
		if !e.wanted(chosen) || e.headgateOnly && t.name() != (headgate{}).name() {
			continue
		}
		want := ""
		if e.settle {
			want = b.Settle.String()
		}
		if !installed || want != settle {
			b.say("installing %s", t.name())
			if err := t.install(ctx, want); err != nil {
				return err
			}
			settle, installed = want, true
		}
		b.say("%s: %s", t.name(), e.name)
		began := time.Now()
		found, err := e.run(ctx, b, t)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.add(t, e, found, err)
		b.say("%s: %s took %s%s", t.name(), e.name, time.Since(began).Round(time.Second), suffix(err))
	}
	return nil
}

func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ", and failed: " + err.Error()
}

// newName is a name for a namespace that had none in this run.
func (b *bench) newName() string {
	b.names++
	return fmt.Sprintf("bench-%d", b.names)
}

func (b *bench) say(format string, args ...any) { b.Progress(fmt.Sprintf(format, args...)) }

// errAll joins the errors of n calls of f, at most workers at a time.
func errAll(n, workers int, f func(i int) error) error {
	errs := make([]error, n)
	tickets := make(chan struct{}, workers)
	done := make(chan struct{})
	for i := range n {
		go func() {
			tickets <- struct{}{}
			errs[i] = f(i)
			<-tickets
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	return errors.Join(errs...)
}
