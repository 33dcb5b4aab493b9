package status

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// schemaFile describes a Status in JSON for programs that read it.
const schemaFile = "../../docs/status.schema.json"

// words are the values of the types that have few.
var words = map[reflect.Type]any{
	reflect.TypeFor[Phase]():         []Phase{Unmanaged, Idle, Pending, Progressing, Paused, Promoting, RolledBack},
	reflect.TypeFor[Seen]():          []Seen{Done, Now, Ahead},
	reflect.TypeFor[spec.Strategy](): []spec.Strategy{spec.Canary, spec.BlueGreen},
	reflect.TypeFor[spec.StepKind](): spec.StepKinds,
	reflect.TypeFor[rollout.Verdict](): []rollout.Verdict{
		rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.StableUnhealthy, rollout.Error,
	},
}

// TestSchema keeps the file as the types are. What it does not allow is only what a Status
// never has: fields may be added to it.
func TestSchema(t *testing.T) {
	s := schema{}
	top := s.object(reflect.TypeFor[Status]())
	top["$schema"], top["$defs"] = "https://json-schema.org/draft/2020-12/schema", map[string]any(s)
	top["$id"] = "https://github.com/headgate/headgate/blob/main/docs/status.schema.json"
	top["title"] = "What kubectl headgate status -o json prints"
	properties, _ := top["properties"].(map[string]any)
	properties["schema"] = map[string]any{"const": Schema}
	got, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Assert(t, string(got)+"\n", filepath.Join("..", schemaFile))
}

// schema has the types that have a name.
type schema map[string]any

func (s schema) of(t reflect.Type) map[string]any {
	if all, ok := words[t]; ok {
		return map[string]any{"enum": all}
	}
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Struct:
		if s[t.Name()] == nil {
			s[t.Name()] = s.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	}
	panic("a Status has a field of a kind that the schema does not know: " + t.String())
}

// object is a struct. A field is required unless it is left out where it is empty.
func (s schema) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		properties[name] = s.of(t.Field(i).Type)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}
