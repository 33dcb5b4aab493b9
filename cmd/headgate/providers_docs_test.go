package main

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/analysis"
)

const providersPage = "../../docs/providers.md"

// Every example on the page that a person may copy works: the settings build providers,
// and these understand the metrics.
func TestExamplesOfProviders(t *testing.T) {
	page := read(t, providersPage)
	dir := t.TempDir()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	providers, metrics := analysis.Providers{}, []string{}
	for i, example := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(example[1], "metrics:") {
			metrics = append(metrics, example[1])
			continue
		}
		file := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(example[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		built, err := newProviders(Config{ProvidersFile: file, QueryTimeout: time.Second})
		if err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
		maps.Copy(providers, built)
	}
	if len(metrics) < 3 || len(providers) < 4 {
		t.Fatalf("found %d metrics and %d providers", len(metrics), len(providers))
	}
	for _, example := range metrics {
		if err := providers.Check(example); err != nil {
			t.Errorf("%v:\n%s", err, example)
		}
	}
}

func TestPageHasEveryTypeOfProvider(t *testing.T) {
	page := read(t, providersPage)
	for name := range providerTypes {
		if !strings.Contains(page, "\n## `"+name+"`\n") || !strings.Contains(page, "type: "+name+"\n") {
			t.Errorf("%s has no section and example of the type %s", providersPage, name)
		}
	}
}
