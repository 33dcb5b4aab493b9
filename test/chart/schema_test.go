package chart_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/test/chart"
)

// schema is the part of a JSON schema that the tests look at.
type schema struct {
	Ref                  string             `json:"$ref"`
	Properties           map[string]*schema `json:"properties"`
	Items                *schema            `json:"items"`
	AdditionalProperties any                `json:"additionalProperties"`
	Definitions          map[string]*schema `json:"definitions"`
	Enum                 []any              `json:"enum"`
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	root := &schema{}
	if err := json.Unmarshal(content, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// visit calls f for every object of the values that has named properties. path is how to
// get there: ["image"], or ["tolerations", "[]"] for an item of a list.
func (s *schema) visit(root *schema, path []string, f func(path []string, s *schema)) {
	if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
		s = root.Definitions[name]
	}
	if s.Items != nil {
		s.Items.visit(root, append(slices.Clone(path), "[]"), f)
	}
	if s.Properties == nil {
		return
	}
	f(path, s)
	for name, property := range s.Properties {
		property.visit(root, append(slices.Clone(path), name), f)
	}
}

// put returns the values in which there is only value, at path.
func put(path []string, value any) any {
	for _, name := range slices.Backward(path) {
		if name == "[]" {
			value = []any{value}
		} else {
			value = map[string]any{name: value}
		}
	}
	return value
}

// open are the objects whose fields only the manager or helm knows.
var open = []string{"global", "providers.list.[]"}

func TestTyposAreRefusedAtEveryLevel(t *testing.T) {
	root, levels := readSchema(t), 0
	root.visit(root, nil, func(path []string, s *schema) {
		if slices.Contains(open, strings.Join(path, ".")) {
			return
		}
		levels++
		if s.AdditionalProperties == nil || s.AdditionalProperties == true {
			t.Errorf("%q allows any property", path)
		}
		r := release(nil)
		r.Values = put(path, map[string]any{"tpyo": "x"}).(map[string]any)
		_, err := chart.Render(t.Context(), dir, r)
		if err == nil || !strings.Contains(err.Error(), "tpyo") {
			t.Errorf("tpyo in %q: %v, want a refusal", path, err)
		}
	})
	if levels < 10 {
		t.Errorf("looked at %d objects", levels)
	}
}

// The values are what an operator reads, the schema is what counts.
func TestSchemaAndValuesHaveTheSameProperties(t *testing.T) {
	root, values := readSchema(t), readValues(t, filepath.Join(dir, "values.yaml"))
	root.visit(root, nil, func(path []string, s *schema) {
		var here any = values
		for _, name := range path {
			object, _ := here.(map[string]any)
			here = object[name]
		}
		object, _ := here.(map[string]any)
		if len(object) == 0 && len(path) > 0 {
			return // {}, [] or nothing: the comment there says what is allowed
		}
		want := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Properties)), func(name string) bool { return name == "global" })
		if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
			t.Errorf("%q: values.yaml has %v, the schema %v", path, got, want)
		}
	})
}

// Every value is in the values of some golden file, and is another than the default there. A
// value that is {} by default is one value, whatever it may contain.
func TestEveryValueHasAGoldenFile(t *testing.T) {
	changed := map[string]bool{}
	initial := readValues(t, filepath.Join(dir, "values.yaml"))
	for _, values := range options(t) {
		mark(changed, nil, initial, values)
	}
	var visit func(path []string, value any)
	visit = func(path []string, value any) {
		if object, _ := value.(map[string]any); len(object) > 0 {
			for name, property := range object {
				visit(append(slices.Clone(path), name), property)
			}
		} else if !changed[strings.Join(path, ".")] {
			t.Errorf("no testdata/*.values.yaml changes %s", strings.Join(path, "."))
		}
	}
	visit(nil, initial)
}

// mark notes the path of each value that is not the initial one, and of what contains it.
func mark(changed map[string]bool, path []string, initial, value any) {
	object, isObject := value.(map[string]any)
	defaults, _ := initial.(map[string]any)
	if !reflect.DeepEqual(initial, value) {
		changed[strings.Join(path, ".")] = true
	}
	if isObject {
		for name, property := range object {
			mark(changed, append(slices.Clone(path), name), defaults[name], property)
		}
	}
}
