package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const settingsExample = "{providers: [{name: mimir, type: prometheus, address: https://mimir.example.com/prometheus}]}"

// Entry is what the operator wrote about one provider, and what holds for all of them.
type Entry struct {
	Name string
	Type string // prometheus, web, datadog, …

	// InitialAddress is the address of an entry that writes none. "": it must write one.
	InitialAddress string

	// Namespaces are those whose Deployments may ask the provider. None: all.
	Namespaces []string

	// Timeout of one question. It must be more than 0.
	Timeout time.Duration

	// NamespaceLabel is the label of a series with its namespace, for providers that
	// confine a user's query to it. "": they do not.
	NamespaceLabel string

	text []byte // the whole entry, as JSON
	dir  string // of the file: paths in the entry begin there
}

// header is what every entry has, whatever its type.
type header struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces"`
}

// ReadFile reads the operator's settings of providers from a YAML file with one list,
// providers. Paths in it are relative to the directory of the file. An error names the
// file, the provider and the field, and never shows a value that may be secret.
func ReadFile(path string) ([]Entry, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entries, err := parse(content, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

func parse(content []byte, dir string) ([]Entry, error) {
	var file struct {
		Providers []json.RawMessage `json:"providers"`
	}
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return nil, explainYAML(err, settingsExample)
	}
	seen := map[string]bool{}
	var entries []Entry
	for i, text := range file.Providers {
		var h header
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, fmt.Errorf("providers[%d]: %w", i, explainYAML(err, settingsExample))
		}
		switch {
		case len(validation.IsDNS1123Label(h.Name)) > 0:
			return nil, fmt.Errorf("providers[%d]: name %q: want lower-case letters, digits and -: write for example name: mimir", i, h.Name)
		case seen[h.Name]:
			return nil, fmt.Errorf("providers[%d]: there is another provider named %s: give each its own name", i, h.Name)
		}
		seen[h.Name] = true
		entries = append(entries, Entry{Name: h.Name, Type: h.Type, Namespaces: h.Namespaces, text: text, dir: dir})
	}
	return entries, nil
}

// Decode reads the fields of the entry into a struct that embeds Connection. An unknown
// field is an error.
func (e Entry) Decode(into any) error {
	text := e.text
	if len(text) == 0 {
		text = []byte("{}")
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return explainYAML(err, settingsExample)
	}
	return nil
}

// NewEntry returns an entry for a provider that no file describes.
func NewEntry(name, kind, address string) Entry {
	return Entry{Name: name, Type: kind, InitialAddress: address}
}

// File is the path of a file that the entry names. "" stays "".
func (e Entry) File(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.dir, path)
}

// explainYAML removes from err what the decoders wrap around it: names of Go types, and
// values, which may be secret.
func explainYAML(err error, example string) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s cannot be of type %s: write for example %s", wrong.Field, wrong.Value, example)
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s: docs/providers.md lists the fields of each type", field)
	}
	return fmt.Errorf("%s: write for example %s", strings.Join(strings.Fields(err.Error()), " "), example)
}

// parseAddress reads the address of a provider. It must have no user name, so that no
// error or log line can show a password, and no query, to which a path is appended.
func parseAddress(address string) (*url.URL, error) {
	if address == "" {
		return nil, errors.New("there is no address: write for example address: https://metrics.example.com")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("address is not a URL: write for example address: https://metrics.example.com")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("address has a user name: write it as basicAuth: {username: NAME, passwordFile: FILE}")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("address %q is not an http or https URL: write for example address: https://metrics.example.com", address)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("address has a query or a fragment: write for example address: https://metrics.example.com/api")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}
