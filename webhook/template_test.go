package webhook_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

// asSent is web() with fields that this program's types do not know: one in the pod
// and one in the container.
func asSent(t testing.TB, pod, container string, edits ...edit) runtime.RawExtension {
	t.Helper()
	dep := web(edits...)
	dep.APIVersion, dep.Kind = "apps/v1", "Deployment"
	text, err := json.Marshal(dep)
	if err != nil {
		t.Fatal(err)
	}
	text = insertField(text, `"spec":{"containers":[{`, container)
	text = insertField(text, `"spec":{"containers":`, pod)
	if !json.Valid(text) {
		t.Fatalf("not JSON: %s", text)
	}
	return runtime.RawExtension{Raw: text}
}

// insertField puts field into the innermost object that place opens. Containers come
// first there.
func insertField(text []byte, place, field string) []byte {
	if field == "" {
		return text
	}
	at := strings.LastIndex(place, "{") + 1
	return bytes.Replace(text, []byte(place), []byte(place[:at]+field+","+place[at:]), 1)
}

// A field that is newer than the types of this program counts like any other.
func TestTemplatesAreComparedAsTheyWereSent(t *testing.T) {
	const decisions = "headgate_webhook_decisions_total decision="
	const shares, other = `"fromTheFuture":{"a":1,"b":[2]}`, `"fromTheFuture":{"a":1,"b":[3]}`
	type sent struct {
		pod, container string
		edits          []edit
	}
	with := func(edits ...edit) []edit { return edits }
	cases := map[string]struct {
		old, new sent
		want     string
	}{
		"the same":               {sent{pod: shares}, sent{pod: shares}, "Allowed"},
		"the same in a new form": {sent{pod: shares}, sent{pod: `"fromTheFuture":{ "b":[2], "c":null, "a":1}`}, "Allowed"},
		"a new field":            {sent{}, sent{pod: shares}, "Held"},
		"an empty one":           {sent{}, sent{pod: `"fromTheFuture":{}`}, "Held"},
		"a field is gone":        {sent{pod: shares}, sent{}, "Held"},
		"another value":          {sent{pod: shares}, sent{pod: other}, "Held"},
		"in a container":         {sent{container: shares}, sent{container: other}, "Held"},
		"numbers of 64 bits":     {sent{pod: `"n":9007199254740993`}, sent{pod: `"n":9007199254740992`}, "Held"},
		"while held":             {sent{pod: shares, edits: with(held)}, sent{pod: other, edits: with(held)}, "Held"},
		"while held, no change":  {sent{pod: shares, edits: with(held)}, sent{pod: shares, edits: with(held)}, "StillHeld"},
		"a restart":              {sent{pod: shares}, sent{pod: shares, edits: with(restart)}, "Restarted"},
		"a restart and more":     {sent{pod: shares}, sent{pod: other, edits: with(restart)}, "Held"},
		"opting out with one":    {sent{pod: shares}, sent{pod: other, edits: with(optedOut)}, "Bypassed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			req := e.update(web(), web())
			req.OldObject = asSent(t, c.old.pod, c.old.container, c.old.edits...)
			req.Object = asSent(t, c.new.pod, c.new.container, c.new.edits...)
			if resp := e.send(req); !resp.Allowed {
				t.Fatal(resp.Result)
			}
			want := map[string]float64{decisions + c.want: 1}
			got := e.counts()
			delete(got, "headgate_bypass_total reason=OptedOut")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// drawField draws a field that this program's types do not know, or none.
func drawField(t *rapid.T, name string) string {
	return rapid.SampledFrom([]string{
		"", `"future":1`, `"future":true`, `"future":{}`, `"future":{"a":[1,{"b":"c"}]}`, `"future":{"a":[1,{"b":"d"}]}`,
		`"future":[]`, `"future":"1"`, `"future":12345678901234567890`, `"future":1,"far":{"x":{"y":0.1}}`,
	}).Draw(t, name)
}

// Whatever unknown fields a write has: it is held if and only if the template is
// another one, and the patch changes nothing but the pause and the markers.
func TestUnknownFieldsAreComparedAndKept(t *testing.T) {
	e := newEndpoint(t)
	rapid.Check(t, func(rt *rapid.T) {
		req := e.update(web(), web())
		images := rapid.SampledFrom([]string{"v1", "v2"})
		req.OldObject = asSent(t, drawField(rt, "pod"), drawField(rt, "container"), image(images.Draw(rt, "old")))
		req.Object = asSent(t, drawField(rt, "pod"), drawField(rt, "container"), image(images.Draw(rt, "new")))
		resp := e.send(req)
		if !resp.Allowed {
			rt.Fatal(resp.Result)
		}
		changed := !bytes.Equal(sentTemplate(t, string(req.OldObject.Raw)), sentTemplate(t, string(req.Object.Raw)))
		after := stored(t, req, resp)
		if paused := strings.Contains(after, `"paused":true`); paused != changed {
			rt.Fatalf("paused %v, want %v: %s", paused, changed, after)
		}
		if !bytes.Equal(sentTemplate(t, after), sentTemplate(t, string(req.Object.Raw))) {
			rt.Fatalf("the patch changes the template: %s", resp.Patch)
		}
		if diff := cmp.Diff(withoutHold(t, string(req.Object.Raw)), withoutHold(t, after)); diff != "" {
			rt.Fatalf("the patch changes more than the hold: %s", diff)
		}
	})
}

// sentTemplate is the text of the template in a Deployment.
func sentTemplate(t *testing.T, text string) json.RawMessage {
	t.Helper()
	var dep struct {
		Spec struct{ Template json.RawMessage }
	}
	if err := json.Unmarshal([]byte(text), &dep); err != nil {
		t.Fatal(err)
	}
	return dep.Spec.Template
}

// withoutHold is a Deployment without what the webhook may write.
func withoutHold(t *testing.T, text string) any {
	t.Helper()
	dep := parse(t, text).(map[string]any)
	delete(dep["spec"].(map[string]any), "paused")
	annotations := dep["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, key := range []string{"rollout", "phase", "command"} {
		delete(annotations, "headgate.dev/"+key)
	}
	return dep
}
