package lint

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is where an object was written.
type source struct {
	file  string
	node  *yaml.Node // a mapping
	lines []string   // of the whole file
}

// line is the line of the first of paths that is there, else of the name, else the first.
// A path is the keys from the top; its line is that of the last key. The items of a
// sequence have their numbers as keys.
func (s *source) line(paths ...[]string) int {
	if s == nil {
		return 0
	}
	for _, path := range append(paths, []string{"metadata", "name"}) {
		if key, _ := lookUp(s.node, path); key != nil {
			return key.Line
		}
	}
	return s.node.Line
}

// has says whether the manifest says something at path.
func (s *source) has(path ...string) bool {
	if s == nil {
		return false
	}
	key, _ := lookUp(s.node, path)
	return key != nil
}

// lookUp returns the last key of path, which for an item is the item, and its value.
func lookUp(node *yaml.Node, path []string) (key, value *yaml.Node) {
	key, value = node, node
	for _, name := range path {
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if key, value = child(value, name); key == nil {
			return nil, nil
		}
	}
	return key, value
}

func child(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(name); err == nil && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 { // a scalar has no content
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

var (
	quotedPart = regexp.MustCompile(`"(?:[^"\\]|\\.)+"|'[^']+'`)
	yamlLine   = regexp.MustCompile(`\bline (\d+)`)
)

// annotationLine is the line of an annotation, or within a text of several lines the line
// that message is about, if it tells: by "line 3", or by a part that it quotes.
func (s *source) annotationLine(annotation, message string) int {
	return s.textLine([]string{"metadata", "annotations", annotation}, message)
}

// textLine is annotationLine for the text at any path.
func (s *source) textLine(path []string, message string) int {
	if s == nil {
		return 0
	}
	key, value := lookUp(s.node, path)
	if key == nil {
		return s.line(path[:len(path)-1])
	}
	if value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return key.Line
	}
	first := value.Line + 1 // the text begins below the sign |
	last := s.endOfBlock(first, key.Column)
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && first+n-1 <= last {
			return first + n - 1
		}
	}
	for _, quoted := range quotedPart.FindAllString(message, -1) {
		part := strings.Trim(quoted, `"'`)
		for n := first; n <= last; n++ {
			if text := s.lines[n-1]; strings.Contains(text, part) || isWeight(text, part) {
				return n
			}
		}
	}
	return key.Line
}

// endOfBlock is the last line of a block that begins at first, below a key in this column: the
// lines in it are further to the right.
func (s *source) endOfBlock(first, column int) int {
	last := first - 1
	for n := first; n <= len(s.lines); n++ {
		text := s.lines[n-1]
		if left := strings.TrimLeft(text, " "); strings.TrimSpace(left) != "" {
			if len(text)-len(left) < column {
				break
			}
			last = n
		}
	}
	return last
}

// isWeight says whether a line sets the weight that an error shows as "5%".
func isWeight(line, part string) bool {
	_, number, ok := strings.Cut(line, "setWeight:")
	return ok && strings.TrimSpace(number)+"%" == part
}
