package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
)

// Template is a pod template as the API server sent it, decoded from JSON. It has
// every field, also those that are newer than the API types of this program: a
// corev1.PodTemplateSpec loses them without an error. Numbers are of any type, but
// two templates that are compared must have been decoded in the same way.
type Template map[string]any

// DecodeTemplate decodes the JSON of a pod template.
func DecodeTemplate(text []byte) (Template, error) {
	// A float64 has 53 bits: it would make 9007199254740993 equal to 9007199254740992.
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var t Template
	if err := dec.Decode(&t); err != nil {
		return nil, fmt.Errorf("decode spec.template: %w", err)
	}
	return t, nil
}

// Equal reports whether t and other say the same. The order of fields means nothing,
// and null is the same as no field. An empty object is not: emptyDir: {} is a volume.
func (t Template) Equal(other Template) bool {
	return equalObjects(t, other)
}

// Unrestarted returns a copy of t without AnnotationRestartedAt. Two templates are
// the same version if this returns the same for both.
func (t Template) Unrestarted() Template {
	return t.without("annotations", AnnotationRestartedAt)
}

// WithoutLabel returns a copy of t without the label key.
func (t Template) WithoutLabel(key string) Template {
	return t.without("labels", key)
}

// WithLabel returns a copy of t with the label key.
func (t Template) WithLabel(key, value string) Template {
	t = copied(t)
	meta, _ := t["metadata"].(map[string]any)
	entries, _ := meta["labels"].(map[string]any)
	meta, entries = copied(meta), copied(entries)
	entries[key], meta["labels"], t["metadata"] = value, entries, meta
	return t
}

// copied returns a copy of m, and an empty map for nil.
func copied(m map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, m)
	return out
}

// without returns a copy of t without the entry key in that field of its metadata. An
// entry that was the only one takes the field with it: a template that was never
// restarted may have no annotations at all.
func (t Template) without(field, key string) Template {
	meta, _ := t["metadata"].(map[string]any)
	entries, _ := meta[field].(map[string]any)
	if _, ok := entries[key]; !ok {
		return t
	}
	t, meta, entries = maps.Clone(t), maps.Clone(meta), maps.Clone(entries)
	delete(entries, key)
	meta[field] = entries
	if len(entries) == 0 {
		delete(meta, field)
	}
	t["metadata"] = meta
	return t
}

func equalObjects(a, b map[string]any) bool {
	fields := 0
	for key, value := range a {
		if value == nil {
			continue
		}
		fields++
		if !equalValues(value, b[key]) {
			return false
		}
	}
	for _, value := range b {
		if value != nil {
			fields--
		}
	}
	return fields == 0
}

func equalValues(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalObjects(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalValues(a[i], b[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(a, b)
	}
}
