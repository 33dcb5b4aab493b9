package main

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// encode writes v as JSON or YAML.
func encode(out io.Writer, form string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	switch form {
	case "json":
		text = append(text, '\n')
	case "yaml":
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
	default:
		return fmt.Errorf("--output %q: want json or yaml", form)
	}
	_, err = out.Write(text)
	return err
}
