package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

// TestGates: a rollout waits at each gate while the gate is closed or does not
// answer. A person may skip all gates.
func TestGates(t *testing.T) {
	t.Parallel()
	g := startGates(t)
	at := "http://" + gateAddress()
	s := newService(t, map[string]string{
		spec.AnnotationSteps: "50%, 100%",
		spec.AnnotationGates: fmt.Sprintf("start %[1]s/start, rise %[1]s/rise, promotion %[1]s/promotion", at),
	}, func(s *service) { s.Replicas = 2 })
	s.await(20*time.Second, reason.Ready)

	s.ship("v2", nil)
	first := s.hold()
	s.awaitWords(30*time.Second, reason.AwaitingGate, `the gate before start opens: "`+at+`/start" answered 403 Forbidden`)
	g.stop()
	s.awaitWords(30*time.Second, reason.AwaitingGate, `"`+at+`/start" did not answer: connection refused`)
	s.noCanary()
	g.set(true, spec.GateStart, 0)
	g.set(true, spec.GateRise, 0)
	g.start()
	s.awaitWords(time.Minute, reason.AwaitingGate, `weight 50, until the gate before rise opens: "`+at+`/rise" answered 403 Forbidden`)
	g.set(true, spec.GateRise, 50)
	s.awaitWords(time.Minute, reason.AwaitingGate, "weight 100, until the gate before promotion opens")
	s.annotate(spec.AnnotationCommand, "promote-full")
	s.await(time.Minute, reason.Promoted)
	s.gone(30 * time.Second)

	g.set(false, spec.GateStart, 0)
	s.ship("v3", nil)
	second := s.hold()
	s.awaitWords(30*time.Second, reason.AwaitingGate, "the gate before start opens")
	s.annotate(spec.AnnotationCommand, "promote-full")
	s.await(20*time.Second, reason.Bypassed, reason.Ready) // the rolling update may be over
	s.must(shared.Available(s.within(time.Minute), s.deployment()))
	s.sharesMatch(s.over(), "v2", 50)
	if got := s.weights.all(); !slices.Equal(got, []int{0, 50, 100, -1}) {
		t.Errorf("weights were %v", got)
	}
	question := func(before spec.GatePoint, id string, weight int) string {
		return fmt.Sprintf(`{"before":%q,"namespace":%q,"deployment":"web","rollout":%q,"weight":%d}`, before, s.Namespace, id, weight)
	}
	want := []string{
		question(spec.GateStart, first, 0), question(spec.GateRise, first, 0), question(spec.GateRise, first, 50),
		question(spec.GatePromotion, first, 100), question(spec.GateStart, second, 0),
	}
	if diff := cmp.Diff(want, g.questions()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

// TestGateThatTheOperatorDoesNotAllow: the request that writes such a gate is denied.
func TestGateThatTheOperatorDoesNotAllow(t *testing.T) {
	t.Parallel()
	dep := lab.Sample{Namespace: newNamespace(t), Name: "web", Version: "v1"}.Deployment()
	dep.Annotations = map[string]string{
		spec.AnnotationStrategy: "canary",
		spec.AnnotationGates:    "start http://metadata.internal/token",
	}
	want := `annotation headgate.dev/gates: "http://metadata.internal/token" is not allowed: ` +
		`the operator allows gates at http://` + gateAddress()
	if err := shared.Client().Create(t.Context(), dep); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the answer is %v, want %s", err, want)
	}
}

func (s *service) noCanary() {
	s.Helper()
	canary := s.canary()
	if err := shared.Client().Get(s.Context(), client.ObjectKeyFromObject(canary), canary); !apierrors.IsNotFound(err) {
		s.Errorf("there is a canary: %v", err)
	}
}

// gateAddress is the only address at which the operator of the lab allows gates: a
// port of the lab's machine. Pods reach it as they reach Prometheus.
func gateAddress() string { return labAddress("7700") }

// metricsAddress is where Headgate asks for metrics.
func metricsAddress() string { return labAddress("7701") }

func labAddress(port string) string {
	u, _ := url.Parse(shared.Prometheus.URL()) // no error: Prometheus answers at this URL
	return net.JoinHostPort(u.Hostname(), port)
}

// gates is a server with one path per point, such as /start. A gate is closed until
// set opens it.
type gates struct {
	*testing.T
	server *httptest.Server

	mu    sync.Mutex
	open  map[gate]bool
	asked []asked
}

// gate is a point of a rollout and the weight at which it is asked.
type gate struct {
	point  spec.GatePoint
	weight int
}

type asked struct {
	at       time.Time
	question string
}

func startGates(t *testing.T) *gates {
	t.Helper()
	g := &gates{T: t, open: map[gate]bool{}}
	g.start()
	t.Cleanup(g.stop)
	return g
}

func (g *gates) start() {
	g.Helper()
	listener, err := net.Listen("tcp", gateAddress())
	if err != nil {
		g.Fatal(err)
	}
	g.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: g}}
	g.server.Start()
}

func (g *gates) stop() { g.server.Close() }

func (g *gates) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var q rollout.GateQuestion
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/"+string(q.Before) {
		g.Errorf("%s %s: %q: %v, want the POST of a question to its own gate", r.Method, r.URL.Path, body, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, asked{now, string(body)})
	if !g.open[gate{q.Before, q.Weight}] {
		w.WriteHeader(http.StatusForbidden)
	}
}

// set opens or closes the gate of point for the question at weight.
func (g *gates) set(open bool, point spec.GatePoint, weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[gate{point, weight}] = open
}

// questions returns the questions in order, repeated ones once. Headgate asks the same
// question every 5 seconds; it fails the test if one came twice within half of that, which
// leaves the other half for a question that a busy machine brought late.
func (g *gates) questions() []string {
	g.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	last := map[string]time.Time{}
	for _, a := range g.asked {
		if since := a.at.Sub(last[a.question]); since < 2500*time.Millisecond {
			g.Errorf("%s was asked again after %s, want 5s", a.question, since)
		}
		last[a.question] = a.at
		all = append(all, a.question)
	}
	return slices.Compact(all)
}
