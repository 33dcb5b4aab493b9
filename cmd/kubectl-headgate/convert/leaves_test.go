package convert

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unheard are fields that change nothing: names that nobody refers to, a namespace where there is one object of that
// name, and a default.
var unheard = []string{
	"apiVersion", "metadata.namespace", "ingressRef.kind", "setHeaderRoute.name", "webhooks[0].name", "skipAnalysis",
}

// Every value of an input is used, or a remark is about it or about what it is in. So without it something else is
// printed, or the remark is there in any case.
func TestNoFieldIsDroppedSilently(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*-everything.yaml")
	if err != nil || len(inputs) < 3 {
		t.Fatalf("found %d inputs: %v", len(inputs), err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			text, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			before, remarks := converted(t, text, nil)
			leaves := leavesIn(t, text)
			if len(leaves) < 30 {
				t.Fatalf("found %d leaves", len(leaves))
			}
			for i, leaf := range leaves {
				if leaf.isNamed(remarks) || slices.ContainsFunc(unheard, func(s string) bool { return strings.HasSuffix(leaf.path, s) }) {
					continue
				}
				if after, _ := converted(t, text, &i); after == before {
					t.Errorf("%s, %s is neither used nor named", leaf.object, leaf.path)
				}
			}
		})
	}
}

// leaf is a value of the input without values below it.
type leaf struct {
	object, path string
	remove       func()
}

func (l leaf) isNamed(remarks []Remark) bool {
	return slices.ContainsFunc(remarks, func(r Remark) bool {
		rest, under := strings.CutPrefix(l.path, r.Path)
		return r.Object == l.object && under && (rest == "" || rest[0] == '.' || rest[0] == '[') && r.Kind != Changed
	})
}

// converted is what comes of the input without its leaf number without. nil: with all of them.
func converted(t *testing.T, text []byte, without *int) (string, []Remark) {
	t.Helper()
	objects, err := Read("in", text)
	if err != nil {
		t.Fatal(err)
	}
	if without != nil {
		leavesOf(objects)[*without].remove()
	}
	r, err := Convert(objects)
	if err != nil {
		return err.Error(), nil
	}
	said, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(said), r.AllRemarks()
}

func leavesIn(t *testing.T, text []byte) []leaf {
	t.Helper()
	objects, err := Read("in", text)
	if err != nil {
		t.Fatal(err)
	}
	return leavesOf(objects)
}

func leavesOf(objects []*Object) []leaf {
	var all []leaf
	var walk func(o *Object, f field, remove func())
	walk = func(o *Object, f field, remove func()) {
		if len(f.node.Content) == 0 {
			all = append(all, leaf{o.String(), f.path, remove})
		}
		for i, e := range f.entries() {
			walk(o, e.field, func() { f.node.Content = slices.Delete(f.node.Content, 2*i, 2*i+2) })
		}
		for i, item := range f.items() {
			walk(o, item, func() { f.node.Content = slices.Delete(f.node.Content, i, i+1) })
		}
	}
	for _, o := range objects {
		if converterOf(o) != nil || isOfPeer(o) {
			walk(o, field{of: o, node: o.root}, nil)
		}
	}
	return all
}
