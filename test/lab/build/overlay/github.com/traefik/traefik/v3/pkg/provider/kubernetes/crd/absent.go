// Package crd is absent; see package absent.
package crd

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "kubernetescrd"

// Provider is absent.
type Provider struct {
	absent.Provider `json:"-" toml:"-" yaml:"-"`
}

// FillExtensionBuilderRegistry fills nothing.
func (*Provider) FillExtensionBuilderRegistry(any) {}
