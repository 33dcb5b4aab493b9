package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider"
	"github.com/headgate/headgate/analysis/provider/cloudwatch"
	"github.com/headgate/headgate/analysis/provider/datadog"
	"github.com/headgate/headgate/analysis/provider/graphite"
	"github.com/headgate/headgate/analysis/provider/influxdb"
	"github.com/headgate/headgate/analysis/provider/newrelic"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/analysis/provider/web"
)

// providerTypes has the types that a provider in HEADGATE_PROVIDERS_FILE may have.
var providerTypes = map[string]func(provider.Entry) (analysis.Provider, error){
	prometheusType: typed(prometheus.New),
	"web":          typed(web.New),
	"datadog":      typed(datadog.New),
	"cloudwatch":   typed(cloudwatch.New),
	"newrelic":     typed(newrelic.New),
	"graphite":     typed(graphite.New),
	"influxdb":     typed(influxdb.New),
}

const prometheusType = "prometheus"

// typed is a constructor of a concrete type as one of the interface. An error gives nil,
// not an interface that holds a nil pointer.
func typed[P analysis.Provider](construct func(provider.Entry) (P, error)) func(provider.Entry) (analysis.Provider, error) {
	return func(e provider.Entry) (analysis.Provider, error) {
		p, err := construct(e)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}

// newProviders returns the providers of HEADGATE_PROVIDERS_FILE, and the Prometheus of
// HEADGATE_PROMETHEUS_ADDRESS. Without either there is a Prometheus that answers nothing:
// every measurement is then an Error that says so.
func newProviders(cfg Config) (analysis.Providers, error) {
	providers := analysis.Providers{analysis.DefaultProvider: prometheus.None()}
	entries, err := providerEntries(cfg)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		e.Timeout, e.NamespaceLabel = cfg.QueryTimeout, cfg.NamespaceLabel
		construct, ok := providerTypes[e.Type]
		if !ok {
			return nil, fmt.Errorf("provider %s: unknown type %q: the types are %s",
				e.Name, e.Type, strings.Join(slices.Sorted(maps.Keys(providerTypes)), ", "))
		}
		p, err := construct(e)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", e.Name, err)
		}
		providers[e.Name] = analysis.InNamespaces(p, e.Namespaces)
	}
	return providers, nil
}

// providerEntries reads the file. Its entry named prometheus may have the address of
// HEADGATE_PROMETHEUS_ADDRESS; without such an entry the address alone is one.
func providerEntries(cfg Config) ([]provider.Entry, error) {
	var entries []provider.Entry
	if cfg.ProvidersFile != "" {
		var err error
		if entries, err = provider.ReadFile(cfg.ProvidersFile); err != nil {
			return nil, fmt.Errorf("HEADGATE_PROVIDERS_FILE: %w", err)
		}
	}
	at := slices.IndexFunc(entries, func(e provider.Entry) bool { return e.Name == analysis.DefaultProvider })
	switch {
	case at >= 0 && entries[at].Type != prometheusType:
		return nil, errors.New("HEADGATE_PROVIDERS_FILE: the provider named prometheus answers for all built-in metrics: " +
			"give it type: prometheus, or another name")
	case at >= 0:
		entries[at].InitialAddress = cfg.PrometheusAddress
	case cfg.PrometheusAddress != "":
		entries = append(entries, provider.NewEntry(analysis.DefaultProvider, prometheusType, cfg.PrometheusAddress))
	}
	return entries, nil
}
