package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/rollout"
)

// configured is a Config with a file of providers; "": none.
func configured(t *testing.T, address, file string) Config {
	t.Helper()
	c := Config{PrometheusAddress: address, QueryTimeout: time.Second}
	if file != "" {
		c.ProvidersFile = filepath.Join(t.TempDir(), "providers.yaml")
		if err := os.WriteFile(c.ProvidersFile, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestProviders(t *testing.T) {
	for name, tt := range map[string]struct {
		address, file string
		want          []string
	}{
		"nothing":    {"", "", []string{"prometheus"}},
		"an address": {"http://prometheus:9090", "", []string{"prometheus"}},
		"a file": {
			"", "{providers: [{name: thanos, type: prometheus, address: http://thanos}]}", []string{"prometheus", "thanos"},
		},
		"an address, and its credentials in the file": {
			"http://prometheus:9090", "{providers: [{name: prometheus, type: prometheus, tenant: shop}]}", []string{"prometheus"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			providers, err := newProviders(configured(t, tt.address, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(providers))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProvidersErrors(t *testing.T) {
	for name, tt := range map[string]struct{ address, file, want string }{
		"an unknown type": {
			"", "{providers: [{name: x, type: abacus}]}",
			`provider x: unknown type "abacus": the types are ` + strings.Join(slices.Sorted(maps.Keys(providerTypes)), ", "),
		},
		"no address": {
			"", "{providers: [{name: x, type: prometheus}]}",
			"provider x: there is no address: write for example address: https://metrics.example.com",
		},
		"two addresses": {
			"http://a", "{providers: [{name: prometheus, type: prometheus, address: http://b}]}",
			"provider prometheus: it has another address in HEADGATE_PROMETHEUS_ADDRESS: write the address in one place",
		},
		"another type for prometheus": {
			"", "{providers: [{name: prometheus, type: web, address: http://b}]}",
			"HEADGATE_PROVIDERS_FILE: the provider named prometheus answers for all built-in metrics: " +
				"give it type: prometheus, or another name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newProviders(configured(t, tt.address, tt.file))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Without a Prometheus the queries of users are checked all the same, and a measurement
// says what to set.
func TestPrometheusIsOptional(t *testing.T) {
	providers, err := newProviders(configured(t, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := providers.Check(`{metrics: [{name: up, query: "up(", condition: "> 0"}]}`); err == nil {
		t.Error("a query that does not parse was accepted")
	}
	_, err = providers["prometheus"].Ask(t.Context(), provider.Question{Query: "up"}, rollout.Subject{})
	if err == nil || err.Error() != "no Prometheus is configured: set HEADGATE_PROMETHEUS_ADDRESS" {
		t.Errorf("got %v", err)
	}
}
