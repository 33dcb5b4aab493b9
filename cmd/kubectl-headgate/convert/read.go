package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Object is one object of the input. It keeps the place of each field.
type Object struct {
	File string // as the user named it
	root *yaml.Node
}

// maxNodes bounds what aliases may grow to.
const maxNodes = 100_000

// Read returns the objects of a file of YAML or JSON. A List becomes its items. An error names the file and the line.
func Read(file string, text []byte) ([]*Object, error) {
	var objects []*Object
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		left := maxNodes
		if doc.Content[0].Style&yaml.FlowStyle != 0 {
			asBlocks(doc.Content[0])
		}
		root, err := expand(doc.Content[0], &left)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found, err := objectsIn(file, root)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
}

// asBlocks makes YAML of JSON, for what is printed.
func asBlocks(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		asBlocks(child)
	}
}

// objectsIn returns the object that root is, or those of the list that root is.
func objectsIn(file string, root *yaml.Node) ([]*Object, error) {
	if root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode || valueOf(root, "kind") == "" {
		return nil, fmt.Errorf("%s:%d: this is no Kubernetes object: want a kind, for example kind: Rollout", file, root.Line)
	}
	items := lookup(root, "items")
	if !strings.HasSuffix(valueOf(root, "kind"), "List") || items == nil {
		return []*Object{{File: file, root: root}}, nil
	}
	var all []*Object
	for _, item := range items.Content {
		found, err := objectsIn(file, item)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// expand returns a copy of n without aliases and merge keys: its parts are printed in other places, where the anchors
// are not.
func expand(n *yaml.Node, left *int) (*yaml.Node, error) {
	if *left--; *left < 0 {
		return nil, fmt.Errorf("line %d: the aliases grow to more than %d values", n.Line, maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias, left)
	}
	cp := *n
	cp.Anchor, cp.Content = "", nil
	var merged []*yaml.Node
	for i, child := range n.Content {
		out, err := expand(child, left)
		if err != nil {
			return nil, err
		}
		isValue := n.Kind == yaml.MappingNode && i%2 == 1
		if isValue && n.Content[i-1].Tag == "!!merge" {
			cp.Content = cp.Content[:len(cp.Content)-1]
			merged = append(merged, out)
			continue
		}
		cp.Content = append(cp.Content, out)
	}
	for _, m := range merged {
		mergeInto(&cp, m)
	}
	return &cp, nil
}

// mergeInto adds the entries of from, a mapping or a list of mappings, that into does not have.
func mergeInto(into, from *yaml.Node) {
	if from.Kind == yaml.SequenceNode {
		for _, one := range from.Content {
			mergeInto(into, one)
		}
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		if lookup(into, from.Content[i].Value) == nil {
			into.Content = append(into.Content, from.Content[i], from.Content[i+1])
		}
	}
}

func (o *Object) kind() string      { return valueOf(o.root, "kind") }
func (o *Object) name() string      { return valueOf(o.root, "metadata", "name") }
func (o *Object) namespace() string { return valueOf(o.root, "metadata", "namespace") }

// group is the API group: "apps" of apps/v1, "" of v1.
func (o *Object) group() string {
	group, _, found := strings.Cut(valueOf(o.root, "apiVersion"), "/")
	if !found {
		return ""
	}
	return group
}

// String is "Rollout shop/web".
func (o *Object) String() string {
	name := o.name()
	if ns := o.namespace(); ns != "" {
		name = ns + "/" + name
	}
	return strings.TrimSpace(o.kind() + " " + name)
}

// find returns the object of that kind and name, in the namespace or without one. nil: there is none.
func find(objects []*Object, kind, namespace, name string) *Object {
	i := slices.IndexFunc(objects, func(o *Object) bool {
		return o.kind() == kind && o.name() == name && (o.namespace() == namespace || o.namespace() == "" || namespace == "")
	})
	if i < 0 {
		return nil
	}
	return objects[i]
}
