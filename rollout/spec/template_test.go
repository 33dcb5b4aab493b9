package spec_test

import (
	"testing"

	"github.com/headgate/headgate/rollout/spec"
)

func TestTemplates(t *testing.T) {
	const restarted = `{"metadata":{"labels":{"app":"web"},"annotations":{"kubectl.kubernetes.io/restartedAt":"10h"}},"spec":{"new":1}}`
	for name, tt := range map[string]struct {
		a, b              string
		equal, sameButFor bool // sameButFor: but for the restart and the hash label
	}{
		"the same":                {`{"spec":{"new":[1,{"x":null}]}}`, `{"spec":{"new":[1,{}]}}`, true, true},
		"null for a field":        {`{"metadata":{"creationTimestamp":null},"spec":{}}`, `{"metadata":{},"spec":{}}`, true, true},
		"a field more":            {`{"spec":{}}`, `{"spec":{"new":1}}`, false, false},
		"a field less":            {`{"spec":{"new":1}}`, `{"spec":{}}`, false, false},
		"a field of another name": {`{"spec":{"new":1}}`, `{"spec":{"old":1}}`, false, false},
		"an empty object":         {`{"spec":{"emptyDir":{}}}`, `{"spec":{}}`, false, false},
		"an item more":            {`{"spec":[1]}`, `{"spec":[1,2]}`, false, false},
		"another item":            {`{"spec":[1]}`, `{"spec":[2]}`, false, false},
		"another type":            {`{"spec":{"new":{}}}`, `{"spec":{"new":[]}}`, false, false},
		"a list for an object":    {`{"spec":{"new":[]}}`, `{"spec":{"new":{}}}`, false, false},
		"text for a number":       {`{"spec":{"new":1}}`, `{"spec":{"new":"1"}}`, false, false},
		"another large number":    {`{"spec":9007199254740993}`, `{"spec":9007199254740992}`, false, false},
		"restarted":               {`{"metadata":{"labels":{"app":"web"}},"spec":{"new":1}}`, restarted, false, true},
		"restarted and changed":   {`{"metadata":{"labels":{"app":"web"}},"spec":{"new":2}}`, restarted, false, false},
		"with another annotation": {
			`{"metadata":{"annotations":{"a":"b"}}}`,
			`{"metadata":{"annotations":{"a":"b","kubectl.kubernetes.io/restartedAt":"10h"}}}`, false, true,
		},
		"with the hash label": {
			`{"metadata":{"labels":{"app":"web"}}}`, `{"metadata":{"labels":{"app":"web","pod-template-hash":"5d"}}}`, false, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := decode(t, tt.a), decode(t, tt.b)
			if a.Equal(b) != tt.equal || b.Equal(a) != tt.equal {
				t.Errorf("Equal() = %v and %v, want %v", a.Equal(b), b.Equal(a), tt.equal)
			}
			strip := func(t spec.Template) spec.Template { return t.Unrestarted().WithoutLabel("pod-template-hash") }
			if got := strip(a).Equal(strip(b)); got != tt.sameButFor {
				t.Errorf("without the restart and the hash label: %v, want %v", got, tt.sameButFor)
			}
			if !a.Equal(decode(t, tt.a)) || !b.Equal(decode(t, tt.b)) {
				t.Error("the template was modified")
			}
		})
	}
}

func TestDecodeTemplateRefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "[]", `{"spec":`} {
		if got, err := spec.DecodeTemplate([]byte(text)); err == nil {
			t.Errorf("%q became %v", text, got)
		}
	}
}

func decode(t *testing.T, text string) spec.Template {
	t.Helper()
	template, err := spec.DecodeTemplate([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return template
}
