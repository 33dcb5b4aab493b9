package webhook_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"
	"pgregory.net/rapid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/webhook"
)

// FuzzHandler sends any JSON as the object and as the old object. Every call has an
// answer. What is stored after an answer that allows the write
//
//   - differs from what was sent in spec.paused and annotations of headgate.dev alone;
//   - is what a second call leaves as it is;
//   - is paused if an opted-in Deployment gets another template, unless the decision says
//     why not.
func FuzzHandler(f *testing.F) {
	for _, edits := range [][2][]edit{
		{nil, {image("v2")}}, {{held}, {held, image("v3")}}, {{held}, {paused(false)}}, {nil, {restart}}, {nil, {optedOut}},
		{{optedOut}, {image("v2")}}, {{paused(true)}, {paused(true), image("v2")}}, {{replicas(0)}, {replicas(0), image("v2")}},
		{nil, {recreate, image("v2")}}, {nil, {annotated("steps", "x"), image("v2")}}, {nil, {annotated("rollout", "7"), image("v2")}},
		{nil, {noReplicas, podAnnotation}}, {{held}, {optedOut}},
	} {
		old, dep := raw(f, web(edits[0]...)), raw(f, web(edits[1]...))
		f.Add(old.Raw, dep.Raw, false, false)
		f.Add(old.Raw, dep.Raw, true, false)
		f.Add(old.Raw, dep.Raw, false, true)
	}
	for _, text := range []string{``, `null`, `{}`, `[]`, `{"spec":null}`, `{"spec":{"template":7}}`, `{"kind":"Pod","apiVersion":"v1"}`} {
		f.Add([]byte(text), []byte(text), false, false)
	}
	handler := newHandler(f)
	f.Fuzz(func(t *testing.T, old, object []byte, create, manages bool) {
		c := call{failer: t, handler: handler, old: old, object: object, create: create, user: "jane"}
		if manages {
			c.user = manager
		}
		c.check()
	})
}

// FuzzWrites is FuzzHandler with Deployments that an API server may send: the fuzzer
// chooses from the edits of the property tests.
func FuzzWrites(f *testing.F) {
	handler := newHandler(f)
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		r := drawRequest(t)
		c := call{failer: t, handler: handler, object: raw(t, r.New).Raw, create: r.Old == nil, user: "jane"}
		if r.Old != nil {
			c.old = raw(t, r.Old).Raw
		}
		if r.ByManager {
			c.user = manager
		}
		c.check()
	}))
}

func newHandler(f *testing.F) *webhook.Handler {
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		f.Fatal(err)
	}
	h := &webhook.Handler{
		Manager: manager, CheckAnalysis: checkAnalysis, CheckGates: checkGates, Registerer: prometheus.NewRegistry(),
	}
	if err := h.SetupWithManager(mgr); err != nil {
		f.Fatal(err)
	}
	return h
}

// call is one write that the API server asks about.
type call struct {
	failer
	handler     *webhook.Handler
	old, object []byte
	create      bool
	user        string
}

// failer is what *testing.T, *testing.F and *rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
	Context() context.Context
}

func (c call) check() {
	c.Helper()
	response := c.send(c.object)
	switch {
	case !response.Allowed && (response.Result == nil || response.Result.Message == ""):
		c.Errorf("the write is refused, and nobody is told why: %+v", response)
	case response.Allowed && json.Valid(c.object): // the decoder also reads YAML, which no API server sends
		c.allowed(response)
	}
}

func (c call) send(object []byte) admission.Response {
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "1", Namespace: "shop", Name: "web", Operation: admissionv1.Update,
		Object: runtime.RawExtension{Raw: object}, OldObject: runtime.RawExtension{Raw: c.old},
		UserInfo: authenticationv1.UserInfo{Username: c.user},
	}}
	if c.create {
		req.Operation, req.OldObject = admissionv1.Create, runtime.RawExtension{}
	}
	return c.handler.Handle(c.Context(), req)
}

// allowed checks what is stored after a response that allows the write.
func (c call) allowed(response admission.Response) {
	c.Helper()
	stored, ok := c.patched(response)
	if !ok {
		return // an object in a form that no API server sends
	}
	sent, is := c.decode(c.object), c.decode(stored)
	if diff := cmp.Diff(apartFromHold(sent), apartFromHold(is)); diff != "" {
		c.Errorf("the webhook changes more than the hold (-sent +stored):\n%s", diff)
	}
	if again := c.send(stored); !again.Allowed || len(again.Patches) > 0 {
		c.Errorf("a second call about %s answers %+v", stored, again)
	}
	if !c.create && c.user != manager {
		c.held(sent, is, response.Warnings)
	}
}

// held checks that a new template of an opted-in Deployment waits, or that the decision
// says why it does not.
func (c call) held(sent, is *appsv1.Deployment, warnings []string) {
	c.Helper()
	old := c.decode(c.old)
	same := apiequality.Semantic.DeepEqual(old.Spec.Template, sent.Spec.Template)
	if same || !spec.OptedIn(old.Annotations) && !spec.OptedIn(sent.Annotations) {
		return
	}
	out := webhook.Mutate(webhook.Request{
		Old: old, New: sent, OldTemplate: templateIn(c, c.old), NewTemplate: templateIn(c, c.object),
		CheckAnalysis: checkAnalysis, CheckGates: checkGates,
	})
	switch out.Decision {
	case webhook.Held, webhook.UserPaused:
		if !is.Spec.Paused {
			c.Errorf("%s, and it is not paused", out.Decision)
		}
	case webhook.Bypassed, webhook.Released:
		if len(warnings) == 0 {
			c.Errorf("%s without a warning", out.Decision)
		}
	case webhook.Restarted:
	default:
		c.Errorf("a new template is %s\n%s\n%s", out.Decision, c.old, c.object)
	}
}

// patched applies the patch of a response. ok is false where the object has not the form
// that an API server sends: a patch of "/spec/paused" needs a "spec".
func (c call) patched(response admission.Response) (stored []byte, ok bool) {
	c.Helper()
	if len(response.Patches) == 0 {
		return c.object, true
	}
	text, err := json.Marshal(response.Patches)
	if err != nil {
		c.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		c.Fatal(err)
	}
	stored, err = patch.Apply(c.object)
	return stored, err == nil
}

func (c call) decode(text []byte) *appsv1.Deployment {
	c.Helper()
	dep := &appsv1.Deployment{}
	if err := utiljson.Unmarshal(text, dep); err != nil {
		c.Fatalf("the handler read what cannot be read: %v\n%s", err, text)
	}
	return dep
}

// templateIn is the template of a Deployment in JSON, as it is written there.
func templateIn(t failer, deployment []byte) json.RawMessage {
	t.Helper()
	var d struct {
		Spec struct {
			Template json.RawMessage `json:"template"`
		} `json:"spec"`
	}
	if err := utiljson.Unmarshal(deployment, &d); err != nil {
		t.Fatal(err)
	}
	return d.Spec.Template
}

// apartFromHold is dep without what Headgate may write.
func apartFromHold(dep *appsv1.Deployment) *appsv1.Deployment {
	dep = dep.DeepCopy()
	dep.Spec.Paused = false
	dep.Annotations = maps.Clone(dep.Annotations)
	maps.DeleteFunc(dep.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, "headgate.dev/") })
	if len(dep.Annotations) == 0 {
		dep.Annotations = nil
	}
	return dep
}
