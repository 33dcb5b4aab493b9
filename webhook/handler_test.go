package webhook_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/headgate/headgate/webhook"
)

const manager = "system:serviceaccount:headgate-system:headgate"

// endpoint is the webhook as the API server sees it.
type endpoint struct {
	t        *testing.T
	mux      http.Handler
	registry *prometheus.Registry
}

// logged is what the webhook logged since the last newEndpoint. controller-runtime
// logs admission through the one logger of the process.
var logged strings.Builder

func TestMain(m *testing.M) {
	log.SetLogger(funcr.New(func(_, args string) { logged.WriteString(args + "\n") }, funcr.Options{}))
	os.Exit(m.Run())
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{t: t, registry: prometheus.NewRegistry()}
	// No test calls an API server; the manager only has to be constructed.
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	h := webhook.Handler{Manager: manager, CheckAnalysis: checkAnalysis, CheckGates: checkGates, Registerer: e.registry}
	if err := h.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	e.mux = mgr.GetWebhookServer().WebhookMux()
	logged.Reset()
	return e
}

// raw encodes dep as the API server does, plus a field that the types of this
// program do not know.
func raw(t failer, dep *appsv1.Deployment) runtime.RawExtension {
	t.Helper()
	if dep == nil {
		return runtime.RawExtension{}
	}
	dep.APIVersion, dep.Kind = "apps/v1", "Deployment"
	text, err := json.Marshal(dep)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"spec":{`), []byte(`"spec":{"fromTheFuture":true,`), 1)
	return runtime.RawExtension{Raw: text}
}

func (e *endpoint) send(req admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	e.t.Helper()
	req.UID = "1"
	review := admissionv1.AdmissionReview{Request: &req}
	review.APIVersion, review.Kind = "admission.k8s.io/v1", "AdmissionReview"
	body, err := json.Marshal(review)
	if err != nil {
		e.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, webhook.Path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	e.mux.ServeHTTP(w, r)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		e.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return answer.Response
}

func (e *endpoint) update(old, dep *appsv1.Deployment) admissionv1.AdmissionRequest {
	return admissionv1.AdmissionRequest{
		Operation: admissionv1.Update, Namespace: "shop", Name: "web",
		Object: raw(e.t, dep), OldObject: raw(e.t, old),
		UserInfo: authenticationv1.UserInfo{Username: "jane"},
	}
}

// counts are the metrics that are not 0, by label.
func (e *endpoint) counts() map[string]float64 {
	e.t.Helper()
	families, err := e.registry.Gather()
	if err != nil {
		e.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if count := m.GetCounter().GetValue(); count > 0 {
				got[f.GetName()+" "+m.GetLabel()[0].GetName()+"="+m.GetLabel()[0].GetValue()] = count
			}
		}
	}
	return got
}

// stored applies the patch of an answer to what was sent.
func stored(t *testing.T, req admissionv1.AdmissionRequest, resp *admissionv1.AdmissionResponse) string {
	t.Helper()
	if len(resp.Patch) == 0 {
		return string(req.Object.Raw)
	}
	patch, err := jsonpatch.DecodePatch(resp.Patch)
	if err != nil {
		t.Fatal(err)
	}
	text, err := patch.Apply(req.Object.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHoldingPatchesPausedAndTheMarkersAlone(t *testing.T) {
	e := newEndpoint(t)
	req := e.update(web(), web(image("v2")))
	// As the API server sends it when the manifest says so.
	req.Object.Raw = bytes.Replace(req.Object.Raw, []byte(`"spec":{`), []byte(`"spec":{"paused":false,`), 1)
	resp := e.send(req)
	if !resp.Allowed {
		t.Fatal(resp.Result)
	}
	want := web(image("v2"), paused(true), annotated("rollout", "7"), annotated("phase", "Pending"))
	if diff := cmp.Diff(parse(t, string(raw(t, want).Raw)), parse(t, stored(t, req, resp))); diff != "" {
		t.Error(diff)
	}
}

func parse(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReleaseWithoutAnyAnnotationLeft(t *testing.T) {
	e := newEndpoint(t)
	req := e.update(web(held), web(held, noAnnotations))
	resp := e.send(req)
	want := web(image("v2"), noAnnotations)
	if diff := cmp.Diff(parse(t, string(raw(t, want).Raw)), parse(t, stored(t, req, resp))); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheWriterAndTheOperatorSee(t *testing.T) {
	const decisions, bypasses = "headgate_webhook_decisions_total decision=", "headgate_bypass_total reason="
	yes := true
	cases := map[string]struct {
		old, new *appsv1.Deployment
		edit     func(*admissionv1.AdmissionRequest)
		allowed  bool
		patched  bool
		warnings []string
		message  string
		counts   map[string]float64
		log      []string
	}{
		"a new template": {
			old: web(), new: web(image("v2")), allowed: true, patched: true,
			counts: map[string]float64{decisions + "Held": 1},
			log:    []string{`"msg"="Held"`, `"user"="jane"`, `"rollout"="7"`},
		},
		"the same on a dry run is not counted": {
			old: web(), new: web(image("v2")), edit: func(r *admissionv1.AdmissionRequest) { r.DryRun = &yes },
			allowed: true, patched: true,
		},
		"a hold that stays": {
			old: web(held), new: web(held, paused(false)), allowed: true, patched: true,
			warnings: []string{warnStillHeld},
			counts:   map[string]float64{decisions + "StillHeld": 1},
			log:      []string{`"msg"="StillHeld"`, `"user"="jane"`, `"rollout"="5"`},
		},
		"a rolling restart is no bypass": {
			old: web(), new: web(restart), allowed: true,
			counts: map[string]float64{decisions + "Restarted": 1},
			log:    []string{`"msg"="Restarted"`, `"user"="jane"`},
		},
		"the manager releases": {
			old: web(held), new: web(image("v2")), edit: func(r *admissionv1.AdmissionRequest) { r.UserInfo.Username = manager },
			allowed: true, counts: map[string]float64{decisions + "Allowed": 1},
		},
		"a template without a canary": {
			old: web(recreate), new: web(recreate, image("v2")), allowed: true,
			warnings: []string{warnRecreate},
			counts:   map[string]float64{decisions + "Bypassed": 1, bypasses + "RecreateNotSupported": 1},
			log:      []string{`"msg"="Bypassed"`, `"user"="jane"`, `"rollout"="" "bypass"="RecreateNotSupported"`},
		},
		"steps that do not parse": {
			old: web(), new: web(annotated("steps", "x")), message: badSteps,
			counts: map[string]float64{decisions + "Denied": 1},
			log:    []string{`"msg"="Denied"`, `"user"="jane"`, `"denial"="annotation headgate.dev/steps`},
		},
		"a gate that the operator does not allow": {
			old: web(), new: web(annotated("gates", "start https://evil.example.org")),
			message: `annotation headgate.dev/gates: "https://evil.example.org" is not allowed`,
			counts:  map[string]float64{decisions + "Denied": 1},
			log:     []string{`"msg"="Denied"`, `"user"="jane"`, `"denial"="annotation headgate.dev/gates`},
		},
		"a first deployment": {
			new: web(), edit: func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Create },
			allowed: true, counts: map[string]float64{decisions + "Allowed": 1},
		},
		"scaling is allowed unseen": {
			old: web(), new: web(image("v2")), edit: func(r *admissionv1.AdmissionRequest) { r.SubResource = "scale" }, allowed: true,
		},
		"deleting is allowed unseen": {
			old: web(held), edit: func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }, allowed: true,
		},
		"an object that does not decode": {
			old: web(), new: web(), edit: func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"spec":5}`) },
			message: `decode object: `,
		},
		"an update without an old object": {
			new: web(), message: `decode oldObject: there is no content to decode`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			req := e.update(c.old, c.new)
			if c.edit != nil {
				c.edit(&req)
			}
			resp := e.send(req)
			if resp.Allowed != c.allowed || (len(resp.Patch) > 0) != c.patched {
				t.Errorf("allowed: %t, patch: %s, result: %v", resp.Allowed, resp.Patch, resp.Result)
			}
			if diff := cmp.Diff(c.warnings, resp.Warnings); diff != "" {
				t.Error(diff)
			}
			if !strings.HasPrefix(resp.Result.Message, c.message) {
				t.Errorf("message %q, want %q", resp.Result.Message, c.message)
			}
			if got := e.counts(); !maps.Equal(got, c.counts) {
				t.Errorf("counted %v, want %v", got, c.counts)
			}
			if len(c.log) == 0 && logged.Len() > 0 {
				t.Errorf("logged %q", logged.String())
			}
			for _, part := range c.log {
				if !strings.Contains(logged.String(), part) {
					t.Errorf("logged %q, want %s", logged.String(), part)
				}
			}
		})
	}
}

// An alert on the increase of a counter misses what is counted before its first sample.
func TestBypassesAreThereBeforeTheFirst(t *testing.T) {
	count, err := testutil.GatherAndCount(newEndpoint(t).registry, "headgate_bypass_total")
	if err != nil || count != 3 {
		t.Errorf("%d series of headgate_bypass_total, %v; want one for each reason of Outcome.Bypass", count, err)
	}
}

func TestRegisteringMetricsTwiceIsAnError(t *testing.T) {
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	first, second := webhook.Handler{Registerer: registry}, webhook.Handler{Registerer: registry}
	if err := first.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	err = second.SetupWithManager(mgr)
	want := "register the webhook's metrics: duplicate metrics collector registration attempted"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
