// Package gateway is absent; see package absent.
package gateway

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "kubernetesgateway"

// Provider is absent. The static configuration sets its field.
type Provider struct {
	absent.Provider `json:"-" toml:"-" yaml:"-"`

	EntryPoints map[string]Entrypoint `json:"-" toml:"-" yaml:"-" label:"-" file:"-"`
}

// Entrypoint is what the static configuration tells of an entry point.
type Entrypoint struct {
	Address        string
	HasHTTPTLSConf bool
}
