package convert

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Schema names the form of the JSON of a Result.
const Schema = "headgate.dev/convert/v1"

// WriteYAML writes the manifests as documents of YAML. The remarks about a Deployment are comments at its head.
func (r Result) WriteYAML(w io.Writer) error {
	for i, c := range r.Conversions {
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		writeHead(w, c)
		for j, manifest := range c.Manifests {
			if j > 0 {
				fmt.Fprintln(w, "---")
			}
			e := yaml.NewEncoder(w)
			e.SetIndent(2)
			if err := e.Encode(manifest); err != nil {
				return fmt.Errorf("write the manifest: %w", err)
			}
		}
	}
	return nil
}

func writeHead(w io.Writer, c Converted) {
	writeComment(w, "kubectl headgate convert: from "+c.From)
	for _, r := range c.Remarks {
		writeComment(w, "- "+r.String())
	}
}

// writeComment breaks text into lines of at most 120 columns, if its words allow it.
func writeComment(w io.Writer, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 120 && line != "#  " {
			fmt.Fprintln(w, line)
			line = "#  "
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}

// MarshalJSON returns {"schema", "manifests", "remarks"}: a manifest and a remark of the schema headgate.dev/convert/v1.
func (r Result) MarshalJSON() ([]byte, error) {
	v := struct {
		Schema    string   `json:"schema"`
		Manifests []any    `json:"manifests"`
		Remarks   []Remark `json:"remarks"`
	}{Schema, []any{}, append([]Remark{}, r.AllRemarks()...)}
	for _, c := range r.Conversions {
		for _, manifest := range c.Manifests {
			var m any
			if err := manifest.Decode(&m); err != nil {
				return nil, fmt.Errorf("read the manifest again: %w", err)
			}
			v.Manifests = append(v.Manifests, m)
		}
	}
	return json.Marshal(v)
}
