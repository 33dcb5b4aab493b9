package convert

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one field of an input object, which may be absent. Reading its value marks it as read.
type field struct {
	c    *conversion
	of   *Object
	node *yaml.Node // nil: absent
	line int
	path string
}

// open returns the whole object. What is not read of it becomes a remark.
func (c *conversion) open(o *Object) field {
	if !c.opened[o] {
		c.opened[o] = true
		c.order = append(c.order, o)
	}
	f := field{c: c, of: o, node: o.root, line: o.root.Line}
	f.at("apiVersion").use()
	f.at("kind").use()
	return f
}

// there says whether the field is written and not null.
func (f field) there() bool { return f.node != nil && f.node.Tag != "!!null" }

// at is a field below f.
func (f field) at(keys ...string) field {
	for _, key := range keys {
		next := field{c: f.c, of: f.of, path: joinPath(f.path, key), line: f.line}
		for _, e := range f.entries() {
			if e.key == key {
				next = e.field
			}
		}
		f = next
	}
	return f
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func joinPath(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// entry is one key of a mapping and its value.
type entry struct {
	key string
	field
}

// entries are those of a mapping, in the order of the input.
func (f field) entries() []entry {
	if f.node == nil || f.node.Kind != yaml.MappingNode {
		return nil
	}
	var all []entry
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, value := f.node.Content[i], f.node.Content[i+1]
		all = append(all, entry{key.Value, field{c: f.c, of: f.of, node: value, line: key.Line, path: joinPath(f.path, key.Value)}})
	}
	return all
}

// items are those of a list.
func (f field) items() []field {
	if f.node == nil || f.node.Kind != yaml.SequenceNode {
		return nil
	}
	var all []field
	for i, value := range f.node.Content {
		all = append(all, field{c: f.c, of: f.of, node: value, line: value.Line, path: fmt.Sprintf("%s[%d]", f.path, i)})
	}
	return all
}

// text is the value of a scalar, or "".
func (f field) text() string {
	if f.node == nil || f.node.Kind != yaml.ScalarNode {
		return ""
	}
	f.use()
	if !f.there() {
		return ""
	}
	return f.node.Value
}

// number is the value of a whole number. ok is false for anything else, which is then not marked as read.
func (f field) number() (n int, ok bool) {
	if f.node == nil || f.node.Kind != yaml.ScalarNode {
		return 0, false
	}
	n, err := strconv.Atoi(f.node.Value)
	if err == nil {
		f.use()
	}
	return n, err == nil
}

// truth says whether the field is written and true.
func (f field) truth() bool { return f.text() == "true" }

// use marks everything at and below f as read.
func (f field) use() {
	if f.node != nil {
		f.c.read(f.node)
	}
}

// copied returns a copy for the output, and marks f as read.
func (f field) copied() *yaml.Node {
	f.use()
	return clone(f.node, nil)
}

func (c *conversion) read(n *yaml.Node) {
	if len(n.Content) == 0 {
		c.known[n] = true
	}
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			c.read(child)
		}
	}
}

// lost, changed and unneeded make a remark about a field that is there, and mark it as read.
func (f field) lost(format string, args ...any)     { f.remark(Lost, format, args...) }
func (f field) changed(format string, args ...any)  { f.remark(Changed, format, args...) }
func (f field) unneeded(format string, args ...any) { f.remark(Unneeded, format, args...) }

func (f field) remark(kind Kind, format string, args ...any) {
	if f.there() {
		f.use()
		f.note(kind, format, args...)
	}
}

// note makes a remark, once, and does not mark f as read.
func (f field) note(kind Kind, format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ") // what it quotes may have several lines
	r := Remark{Kind: kind, Object: f.of.String(), Path: f.path, File: f.of.File, Line: f.line, Text: text}
	for _, made := range f.c.remarks {
		if made == r {
			return
		}
	}
	f.c.remarks = append(f.c.remarks, r)
}

// leftovers makes a remark about everything at and below f that nobody has read: about the highest field with
// nothing but such.
func (f field) leftovers() {
	switch {
	case f.node == nil:
	case f.path != "" && f.path != "spec" && f.path != "metadata" && f.unread():
		f.lost("Headgate has nothing like it")
	default:
		for _, e := range f.entries() {
			e.leftovers()
		}
		for _, item := range f.items() {
			item.leftovers()
		}
	}
}

// unread says whether nobody has read anything at or below f.
func (f field) unread() bool {
	if len(f.node.Content) == 0 {
		return !f.c.known[f.node]
	}
	for _, e := range f.entries() {
		if !e.unread() {
			return false
		}
	}
	for _, item := range f.items() {
		if !item.unread() {
			return false
		}
	}
	return true
}
